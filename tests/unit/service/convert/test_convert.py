"""Between protobuf and the domain, both ways: presence, bounds, enums, every field of an answer."""

import math
import time
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import pytest
from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from regard_service.app.settings import Settings
from regard_service.convert import enums
from regard_service.convert.answers import pharaoh, write_answer, write_event
from regard_service.convert.malformed import describe_malformed
from regard_service.convert.models import write_model
from regard_service.convert.requests import (
    RequestReader,
    as_stream_error,
    read_list_models,
    read_load_model,
    write_page_token,
)
from regard_service.domain import (
    AttentionMap,
    AttentionOptions,
    Call,
    GenerationOptions,
    ImageGrid,
    Link,
    ModelInfo,
    Result,
    SummarizeCall,
    TranslateCall,
)
from regard_service.errors import DeadlinePassed, InvalidInput
from regard_service.servicers.model import find, in_order, page_of

from regard.v1 import regard_pb2 as pb
from tests.integration.fake_handlers import DAMAGED, EVENTS, MANIFEST, READY, RESULT

READER = RequestReader(Settings(max_inputs_per_call=4, max_text_characters=50, max_image_bytes=10))
FLOAT32 = {"width": 32}
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
BAD_GENERATION = {
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


def translate(time_remaining: float | None = None, **request: object) -> TranslateCall:
    return READER.translate(pb.TranslateRequest(**{"texts": ["Hello"], **request}), time_remaining)  # type: ignore[arg-type]


def violations(**request: object) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        translate(**request)
    return {violation.field: violation.description for violation in caught.value.violations}


# Requests


@given(GENERATION)
def test_generation_keeps_what_is_set_and_what_is_not(values: dict[str, float]) -> None:
    call = translate(generation=pb.GenerationConfig(**values))  # type: ignore[arg-type]
    assert call.generation == GenerationOptions(**values)  # type: ignore[arg-type]


def test_every_generation_field_is_read_and_bounded() -> None:
    names = {option.name for option in fields(GenerationOptions)}
    assert names == set(pb.GenerationConfig.DESCRIPTOR.fields_by_name)
    assert names - {"early_stopping"} == BAD_GENERATION.keys()


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


def test_all_that_is_wrong_is_listed_at_once() -> None:
    generation = pb.GenerationConfig(**{name: bad[0] for name, bad in BAD_GENERATION.items()})  # type: ignore[arg-type]
    attention = pb.AttentionConfig(
        kinds=[0, 1, 1, 77], layers=[0, -1], heads=[2, 2], top_k=0, encoding=9, granularity=9, weighting=9
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
        *("texts[0]", "texts[2]", "texts[3]", "model", "truncation", "priority"),
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
    """The call without its deadline, which every call gets and which depends on the time."""
    assert call.deadline is not None
    return replace(call, deadline=None)


def test_what_is_unset_means_the_default() -> None:
    assert undated(translate()) == TranslateCall(texts=("Hello",))
    summary = READER.summarize(pb.SummarizeRequest(texts=["Hello"]), None)
    assert undated(summary) == SummarizeCall(texts=("Hello",))


def test_every_field_arrives() -> None:
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
        bulk=True,
        generation=GenerationOptions(early_stopping="never"),
        attention=AttentionOptions(
            kinds=("alignment", "cross"),
            layers=(2, 0),
            heads=(1,),
            granularity="word",
            encoding="uint8",
            top_k=5,
            method="shifted",
            value_norms=True,
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
    reader = RequestReader(Settings(default_deadline_s=30, max_deadline_s=60))
    request = pb.TranslateRequest(texts=["Hello"])
    for remaining, expected in ((None, 30), (5.0, 5), (1e9, 60)):
        before = time.monotonic()
        deadline = reader.translate(request, remaining).deadline
        assert deadline is not None
        assert before + expected <= deadline <= time.monotonic() + expected
    before = time.monotonic()
    unset = RequestReader(Settings(max_deadline_s=60)).translate(request, None).deadline
    assert unset is not None
    assert before + 60 <= unset <= time.monotonic() + 60
    with pytest.raises(DeadlinePassed):
        reader.translate(request, 0.0)


@pytest.mark.parametrize("name", ["", "../etc", "a/b", "A", "-a", "a" * 65, "ä", "a\n"])
def test_a_model_to_load_has_a_plain_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        read_load_model(pb.LoadModelRequest(name=name))
    assert read_load_model(pb.LoadModelRequest(name="my-model.v2_x", version="3")) == ("my-model.v2_x", "3")


@given(st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3))
def test_the_text_that_is_not_utf8_is_named(before: list[str], after: list[str]) -> None:
    raw = pb.TranslateRequest(texts=before).SerializeToString() + b"\x12\x02\xc3\x28"
    raw += pb.TranslateRequest(texts=after, model="everyday", target_language="de").SerializeToString()
    error = describe_malformed("regard.v1.AttentionService.Translate", raw)
    assert [violation.field for violation in error.violations] == [f"texts[{len(before)}]"]


@given(st.binary(max_size=60))
def test_bytes_that_are_no_request_are_described_without_failing(raw: bytes) -> None:
    assert describe_malformed("regard.v1.AttentionService.Translate", raw).violations


# Enums


@pytest.mark.parametrize(
    ("table", "descriptor"),
    [
        (enums.EARLY_STOPPING, pb.EarlyStopping.DESCRIPTOR),
        (enums.TRUNCATION, pb.Truncation.DESCRIPTOR),
        (enums.PRIORITY, pb.Priority.DESCRIPTOR),
        (enums.ATTENTION_KIND, pb.AttentionKind.DESCRIPTOR),
        (enums.GRANULARITY, pb.Granularity.DESCRIPTOR),
        (enums.ENCODING, pb.Encoding.DESCRIPTOR),
        (enums.ALIGNMENT_METHOD, pb.AlignmentMethod.DESCRIPTOR),
        (enums.WEIGHTING, pb.Weighting.DESCRIPTOR),
        (enums.FINISH_REASON, pb.FinishReason.DESCRIPTOR),
        (enums.TASK, pb.Task.DESCRIPTOR),
        (enums.MODEL_STATE, pb.ModelState.DESCRIPTOR),
    ],
)
def test_every_value_of_an_enum_has_a_name_and_comes_back(
    table: enums.EnumTable[int, str], descriptor: EnumDescriptor
) -> None:
    assert table.name(0) is None
    for value in descriptor.values[1:]:
        name = table.name(value.number)
        assert name is not None
        assert table.number(name) == value.number
    with pytest.raises(ValueError, match="99"):
        table.name(99)


# Answers


def test_a_result_arrives_whole() -> None:
    message = write_answer([RESULT], AttentionOptions(kinds=("alignment",)), pb.TranslateResponse).results[0]
    best = message.hypotheses[0]
    attention = best.attention[0]
    written = MessageToDict(message, preserving_proto_field_name=True)
    assert written["source_tokens"] == [
        {"id": 3, "piece": "▁Hello", "span": {"end": 5}},
        {"id": 2, "piece": "</s>", "special": True},
    ]
    assert (message.truncated, message.num_truncated_tokens, message.num_parts) == (True, 3, 1)
    assert (message.model, message.model_version) == ("everyday", "2")
    assert written["timings"] == {"queue_ms": 1.0, "encode_ms": 2.0, "decode_ms": 3.0}
    assert (best.text, best.score, best.finish_reason) == ("Hallo", -0.25, pb.FINISH_REASON_END)
    assert [token.logprob for token in best.tokens] == [-0.5, 0]
    assert not best.tokens[0].HasField("copied_from")
    assert not best.tokens[1].HasField("span")
    assert written["hypotheses"][0]["words"] == [{"text": "Hallo", "span": {"end": 5}, "tokens": {"end": 1}}]
    assert (list(best.entropy), list(best.coverage), list(best.source_coverage)) == ([0.5, 0.25], [0, 0.5], [1, 1])
    assert best.pharaoh == "0-0"
    assert (attention.kind, list(attention.shape)) == (pb.ATTENTION_KIND_ALIGNMENT, [2, 2])
    assert (list(attention.layers), list(attention.heads)) == ([1], [0])
    assert (attention.encoding, attention.granularity) == (pb.ENCODING_FLOAT32, pb.GRANULARITY_TOKEN)
    assert (attention.alignment_method, attention.weighting) == (pb.ALIGNMENT_METHOD_PLAIN, pb.WEIGHTING_ATTENTION)
    np.testing.assert_array_equal(np.frombuffer(attention.data, "<f4").reshape(2, 2), [[0.75, 0.25], [0.25, 0.75]])


def test_maps_are_encoded_as_asked() -> None:
    options = AttentionOptions(kinds=("cross",), encoding="uint8", top_k=1, method="shifted")
    cross = AttentionMap("cross", np.array([[[[0.25, 0.75], [1, 0]]]], np.float32), layers=(3,), heads=(1,))
    result = replace(RESULT, hypotheses=(replace(RESULT.hypotheses[0], maps=(cross,)),))
    attention = write_answer([result], options, pb.TranslateResponse).results[0].hypotheses[0].attention[0]
    assert list(attention.shape) == [1, 1, 2, 2]
    assert (attention.encoding, attention.top_k) == (pb.ENCODING_UINT8, 1)
    assert attention.alignment_method == pb.ALIGNMENT_METHOD_UNSPECIFIED  # of the alignment only
    np.testing.assert_array_equal(np.frombuffer(attention.indices, "<u2"), [1, 0])
    weights = np.frombuffer(attention.data, "u1") * attention.scale
    np.testing.assert_allclose(weights, [0.75, 1], atol=attention.scale)


def test_copied_tokens_pictures_and_maps_of_the_source() -> None:
    token = RESULT.hypotheses[0].tokens[0]._replace(copied_from=0)
    grid = ImageGrid(rows=7, columns=7, image_width=640, image_height=480, box=(80, 0, 560, 480))
    source = replace(RESULT.source, image_grid=grid)
    own = AttentionMap("encoder_self", np.ones((1, 1, 1, 1), np.float32), layers=(0,), heads=(0,))
    result = replace(
        RESULT, hypotheses=(replace(RESULT.hypotheses[0], tokens=(token,)),), source=source, maps=(own,), num_parts=2
    )
    message = write_answer([result], AttentionOptions(), pb.CaptionResponse).results[0]
    written = message.hypotheses[0].tokens[0]
    assert (written.copied, written.HasField("copied_from"), written.copied_from) == (True, True, 0)
    assert (message.image_grid.rows, message.image_grid.box.left, message.image_grid.box.right) == (7, 80, 560)
    assert message.source_attention[0].kind == pb.ATTENTION_KIND_ENCODER_SELF
    assert message.num_parts == 2


@pytest.mark.parametrize(
    "event_class", [pb.StreamTranslateResponse, pb.StreamSummarizeResponse, pb.StreamCaptionResponse]
)
def test_events_of_every_stream(event_class: type[pb.StreamTranslateResponse]) -> None:
    started, first, second, finished = (write_event(event, AttentionOptions(), event_class) for event in EVENTS)
    assert (started.started.model, started.started.model_version) == ("everyday", "2")
    assert (started.started.truncated, started.started.num_truncated_tokens) == (True, 3)
    assert [token.piece for token in started.started.source_tokens] == ["▁Hello", "</s>"]
    assert [(event.token.index, event.token.text_delta) for event in (first, second)] == [(0, "Hallo"), (1, "")]
    assert isinstance(EVENTS[-1], Result)
    assert finished.finished.result == write_answer([EVENTS[-1]], AttentionOptions(), pb.TranslateResponse).results[0]


def test_pharaoh_is_ordered_by_source() -> None:
    assert pharaoh([Link(2, 0), Link(0, 1), Link(0, 0)]) == "0-0 0-1 2-0"
    assert pharaoh([]) == ""


# Models


def test_a_model_is_described_by_its_manifest() -> None:
    model = write_model(READY)
    assert (model.name, model.version, model.task, model.family) == (
        "everyday",
        "2",
        pb.TASK_TRANSLATION,
        "transformer",
    )
    assert (list(model.source_languages), list(model.target_languages)) == (["en"], ["de", "fr"])
    assert (model.max_source_tokens, model.max_new_tokens) == (256, 200)
    assert (model.provider, model.precision, model.size_bytes) == ("cpu", "int8", 1000)
    assert (model.generation_defaults.num_beams, model.generation_defaults.max_new_tokens) == (4, 128)
    assert not model.generation_defaults.HasField("temperature")
    assert set(model.generation_options) == set(asdict(GenerationOptions()))
    assert [(kind.kind, kind.num_layers, kind.num_heads) for kind in model.attention_kinds] == [
        (pb.ATTENTION_KIND_CROSS, 2, 4),
        (pb.ATTENTION_KIND_ALIGNMENT, 2, 4),
    ]
    assert [(head.layer, head.head) for head in model.alignment_heads] == [(1, 0)]
    assert model.provenance.data_license == "CC-BY-2.0-FR"
    assert not model.provenance.HasField("export_time")
    assert model.default_truncation == pb.TRUNCATION_REJECT
    assert dict(model.scores) == {"bleu/tatoeba-dev/de": 38.5}


def test_what_the_export_noted_is_told() -> None:
    exported = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
    provenance = MANIFEST.provenance.model_copy(update={"exporter_version": "0.1.0", "export_time": exported})
    update = {"provenance": provenance, "num_parameters": 12_345, "default_truncation": "truncate"}
    model = write_model(replace(READY, manifest=MANIFEST.model_copy(update=update)))
    assert model.num_parameters == 12_345
    assert model.default_truncation == pb.TRUNCATION_TRUNCATE
    assert model.provenance.exporter_version == "0.1.0"
    assert model.provenance.export_time.ToDatetime(UTC) == exported


def test_pictures_are_not_truncated() -> None:
    model = write_model(replace(READY, manifest=MANIFEST.model_copy(update={"task": "captioning"})))
    assert (model.default_truncation, model.max_source_tokens) == (pb.TRUNCATION_UNSPECIFIED, 0)


def test_a_refused_model_says_why() -> None:
    model = write_model(DAMAGED)
    assert (model.name, model.state, list(model.state_reasons)) == (
        "damaged",
        pb.MODEL_STATE_FAILED,
        ["int8/step.onnx: is missing"],
    )


def model(name: str, version: str, state: str = "ready") -> ModelInfo:
    manifest = MANIFEST.model_copy(update={"name": name, "version": version})
    return ModelInfo(name, state, manifest)  # type: ignore[arg-type]


names_and_versions = st.sets(st.tuples(st.sampled_from("abc"), st.from_regex(r"\d{1,3}(\.\d{1,2})?", fullmatch=True)))


@given(names_and_versions, st.integers(1, 4))
def test_pages_together_are_the_whole_list_in_order(names: set[tuple[str, str]], size: int) -> None:
    models = [model(*name) for name in names]
    seen: list[ModelInfo] = []
    token = ""
    while True:
        page, token = page_of(models, read_list_models(pb.ListModelsRequest(page_size=size, page_token=token)))
        assert len(page) <= size
        seen += page
        if not token:
            break
    assert seen == in_order(models)


def test_versions_are_ordered_as_people_do() -> None:
    models = [model("a", version) for version in ("9", "10", "1.2", "1.10", "2-rc1", "2")]
    assert [info.manifest.version for info in in_order(models) if info.manifest] == [
        *("10", "9", "2", "2-rc1", "1.10", "1.2")
    ]


def test_the_version_that_serves_is_found_before_a_newer_one() -> None:
    models = [model("a", "2", "loading"), model("a", "1")]
    assert find(models, "a", None) is models[1]
    assert find(models, "a", "2") is models[0]


@pytest.mark.parametrize("token", ["x", "!!!", "eyJhIjogMX0=", write_page_token("captioning", "a", "1")])
def test_a_page_token_of_another_list_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput, match="page_token"):
        read_list_models(pb.ListModelsRequest(page_token=token))


def test_page_sizes() -> None:
    assert read_list_models(pb.ListModelsRequest()).size == 100
    assert read_list_models(pb.ListModelsRequest(page_size=5000)).size == 1000
    with pytest.raises(InvalidInput, match="page_size"):
        read_list_models(pb.ListModelsRequest(page_size=-1))
