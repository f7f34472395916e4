"""Requests as calls: presence, bounds, defaults, deadlines."""

import math
import time
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.v1 import regard_pb2 as pb
from regard_service.convert.requests import RequestReader, as_stream_error
from regard_service.domain.calls import (
    AttentionOptions,
    Call,
    GenerationOptions,
    SummarizeCall,
    TextOptions,
    TranslateCall,
)
from regard_service.errors import DeadlinePassed, InvalidInput
from regard_service.validation.limits import CallLimits

READER = RequestReader(CallLimits(max_inputs_per_call=4, max_text_characters=50, max_image_bytes=10))


FLOAT32: dict[str, Any] = {"width": 32}


AnyCall = TypeVar("AnyCall", bound=Call)


GENERATION = st.fixed_dictionaries(
    {},
    optional={
        "num_beams": st.integers(1, 16),
        "max_new_tokens": st.integers(1, 2**31 - 1),
        "min_new_tokens": st.integers(0, 2**31 - 1),
        "length_penalty": st.floats(-10, 10, **FLOAT32),
        "num_return_sequences": st.integers(1, 16),
        "no_repeat_ngram_size": st.integers(0, 32),
        "repetition_penalty": st.floats(0.125, 10, **FLOAT32),
        "temperature": st.just(0.0) | st.floats(0.015625, 10, **FLOAT32),
        "top_k": st.integers(0, 1024),
        "top_p": st.floats(0, 1, exclude_min=True, **FLOAT32),
        "seed": st.integers(0, 2**63 - 1),
    },
)


BAD_GENERATION: dict[str, list[float]] = {
    "num_beams": [0, 17, -1],
    "max_new_tokens": [0, -1],
    "min_new_tokens": [-1],
    "length_penalty": [-10.5, 11, math.nan, math.inf],
    "num_return_sequences": [0, 17],
    "no_repeat_ngram_size": [-1, 33],
    "repetition_penalty": [0, 0.05, 11, math.nan],
    "temperature": [0.001, -1, 10.5, math.nan, math.inf],
    "top_k": [-1, 1025],
    "top_p": [0, 1.5, -0.5, math.nan],
    "seed": [-1],
}


def translate(time_remaining: float | None = None, **request: Any) -> TranslateCall:
    return READER.translate(pb.TranslateRequest(**{"texts": ["Hello"], **request}), time_remaining)


def violations(**request: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        translate(**request)
    return {violation.field: violation.description for violation in caught.value.violations}


@given(GENERATION)
def test_set_options_are_read_and_unset_ones_stay_none(values: dict[str, float]) -> None:
    call = translate(generation=pb.GenerationConfig(**values))  # type: ignore[arg-type]
    assert call.generation == GenerationOptions(**values)  # type: ignore[arg-type]


def test_equal_options_are_one_object_and_every_call_hears_of_its_violations() -> None:
    first, again = (translate(generation=pb.GenerationConfig(num_beams=3)) for _ in range(2))
    assert first.generation is again.generation
    assert translate().attention is translate(attention=pb.AttentionConfig()).attention
    found = [violations(generation=pb.GenerationConfig(num_beams=99)) for _ in range(2)]
    assert [each.keys() for each in found] == [{"generation.num_beams"}] * 2


def test_every_generation_field_is_read_and_bounded() -> None:
    names = {option.name for option in fields(GenerationOptions)}
    assert names == set(pb.GenerationConfig.DESCRIPTOR.fields_by_name)
    assert names - {"early_stopping", "whole_vocabulary"} == BAD_GENERATION.keys()  # these have no bounds


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, bad in BAD_GENERATION.items() for value in bad])
def test_a_generation_field_out_of_bounds(name: str, value: float) -> None:
    found = violations(generation=pb.GenerationConfig(**{name: value}))  # type: ignore[arg-type]
    assert found.keys() == {f"generation.{name}"}
    assert f"{np.float32(value):g}" in found[f"generation.{name}"]


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 0.01), ("repetition_penalty", 0.1), ("top_p", 1.0), ("temperature", 0.0)]
)
def test_a_bound_itself_is_allowed_though_float32_rounds_it(name: str, value: float) -> None:
    call = translate(generation=pb.GenerationConfig(**{name: value}))  # type: ignore[arg-type]
    assert getattr(call.generation, name) == pytest.approx(value)


def test_a_number_a_little_beyond_its_bound_is_not_shown_as_the_bound() -> None:
    found = violations(generation=pb.GenerationConfig(top_p=1.0000001, temperature=10.00001))
    assert [text.rpartition(" ")[2] for text in found.values()] == ["10.00001", "1.0000001"]


def test_a_repeated_kind_of_map_is_named() -> None:
    found = violations(attention=pb.AttentionConfig(kinds=[pb.ATTENTION_KIND_CROSS] * 2))
    assert found == {"attention.kinds": "names cross more than once"}


def test_every_violation_of_a_request_is_listed_at_once() -> None:
    generation = pb.GenerationConfig(**{name: bad[0] for name, bad in BAD_GENERATION.items()})  # type: ignore[arg-type]
    unknown: Any = 9
    kinds: list[Any] = [0, 1, 1, 77]
    attention = pb.AttentionConfig(
        kinds=kinds, layers=[0, -1], heads=[2, 2], top_k=0, encoding=unknown, granularity=unknown, weighting=unknown
    )
    found = violations(
        texts=["", "fine", " \n", "x" * 51],
        model="m" * 300,
        generation=generation,
        attention=attention,
        truncation=9,
        priority=9,
    )
    assert found.keys() == {
        *(f"generation.{name}" for name in BAD_GENERATION),
        *("texts[3]", "model", "truncation", "priority"),
        *("attention.kinds[0]", "attention.kinds[3]", "attention.kinds"),
        *("attention.layers[1]", "attention.heads", "attention.top_k"),
        *("attention.encoding", "attention.granularity", "attention.weighting"),
    }


@pytest.mark.parametrize("num_inputs", [0, 5])
def test_the_number_of_inputs_is_bounded(num_inputs: int) -> None:
    assert violations(texts=["a"] * num_inputs).keys() == {"texts"}
    with pytest.raises(InvalidInput, match="images"):
        READER.caption(pb.CaptionRequest(images=[b"x"] * num_inputs), None)


def undated(call: AnyCall) -> AnyCall:
    """Returns the call without its deadline, which depends on the time."""
    assert call.deadline is not None
    return replace(call, deadline=None)


def test_unset_fields_stand_for_the_defaults() -> None:
    assert undated(translate()) == TranslateCall(texts=("Hello",))
    summary = READER.summarize(pb.SummarizeRequest(texts=["Hello"]), None)
    assert undated(summary) == SummarizeCall(texts=("Hello",))


def test_every_field_is_read() -> None:
    call = translate(
        model="everyday@2",
        source_language="en",
        target_language="pt-BR",
        truncation=pb.TRUNCATION_SPLIT_AND_JOIN,
        priority=pb.PRIORITY_BULK,
        generation=pb.GenerationConfig(early_stopping=pb.EARLY_STOPPING_NEVER),
        attention=pb.AttentionConfig(
            kinds=[pb.ATTENTION_KIND_ALIGNMENT, pb.ATTENTION_KIND_CROSS],
            layers=[2, 0],
            heads=[1],
            granularity=pb.GRANULARITY_WORD,
            encoding=pb.ENCODING_UINT8,
            top_k=5,
            alignment_method=pb.ALIGNMENT_METHOD_SHIFTED,
            weighting=pb.WEIGHTING_VALUE_NORM,
        ),
    )
    assert undated(call) == TranslateCall(
        model="everyday@2",
        texts=("Hello",),
        source_language="en",
        target_language="pt-BR",
        truncation="split",
        is_bulk=True,
        generation=GenerationOptions(early_stopping="never"),
        attention=AttentionOptions(
            kinds=("alignment", "cross"),
            layers=(2, 0),
            heads=(1,),
            granularity="word",
            encoding="uint8",
            top_k=5,
            method="shifted",
            weighting="value_norm",
        ),
    )


def test_a_stream_has_one_input_and_its_own_paths() -> None:
    stream = READER.translate(pb.StreamTranslateRequest(text="Hello", target_language="de"), None)
    assert undated(stream) == undated(translate(target_language="de"))
    with pytest.raises(InvalidInput) as caught:
        READER.summarize(pb.StreamSummarizeRequest(truncation=pb.TRUNCATION_SPLIT_AND_JOIN), None)
    assert {violation.field for violation in caught.value.violations} == {"text", "truncation"}
    with pytest.raises(InvalidInput, match="image"):
        READER.caption(pb.StreamCaptionRequest(image=b"x" * 11), None)
    assert as_stream_error(InvalidInput.of("texts[0]", "is bad")).violations[0].field == "text"


def test_deadlines_are_the_callers_the_default_or_the_limit() -> None:
    reader = RequestReader(CallLimits(default_deadline_s=30, max_deadline_s=60))
    request = pb.TranslateRequest(texts=["Hello"])
    for remaining, expected in ((None, 30), (5.0, 5), (1e9, 60)):
        before = time.monotonic()
        deadline = reader.translate(request, remaining).deadline
        assert deadline is not None
        assert before + expected <= deadline <= time.monotonic() + expected
    before = time.monotonic()
    unset = RequestReader(CallLimits(max_deadline_s=60)).translate(request, None).deadline
    assert unset is not None
    assert before + 60 <= unset <= time.monotonic() + 60
    with pytest.raises(DeadlinePassed):
        reader.translate(request, 0.0)


def test_text_options_are_read() -> None:
    options = pb.TextOptions(format=pb.FORMAT_HTML, unit=pb.UNIT_PASSAGE, protected_patterns=["a+"])
    options.protected_spans.add(text=1).span.MergeFrom(pb.Span(start=1, end=3))
    call = READER.translate(pb.TranslateRequest(texts=["a", "bcd"], text_options=options), None)
    assert call.text_options == TextOptions("html", "passage", False, ("a+",), ((1, 1, 3),))
    assert READER.translate(pb.TranslateRequest(texts=["a"]), None).text_options == TextOptions()


def test_ranges_outside_of_their_texts_are_refused() -> None:
    options: Any = {"format": 9, "unit": 9}
    message = pb.TextOptions(**options)
    for text, start, end in ((0, 0, 2), (0, 1, 0), (-1, 0, 0), (1, 0, 0)):
        message.protected_spans.add(text=text).span.MergeFrom(pb.Span(start=start, end=end))
    found = violations(texts=["a"], text_options=message)
    spans = [f"text_options.protected_spans[{index}]" for index in range(4)]
    assert found.keys() == {
        *("text_options.format", "text_options.unit", f"{spans[0]}.span", f"{spans[1]}.span"),
        *(f"{spans[2]}.text", f"{spans[3]}.text"),
    }


def test_streams_of_translations_may_split_but_not_those_of_raw_texts_and_summaries() -> None:
    split = pb.TRUNCATION_SPLIT_AND_JOIN
    assert READER.translate(pb.StreamTranslateRequest(text="a", truncation=split), None).truncation == "split"
    raw = pb.StreamTranslateRequest(text="a", truncation=split, text_options=pb.TextOptions(raw=True))
    with pytest.raises(InvalidInput, match="not offered in streams"):
        READER.translate(raw, None)
    with pytest.raises(InvalidInput, match="not offered in streams"):
        READER.summarize(pb.StreamSummarizeRequest(text="a", truncation=split), None)
