"""Texts and names have one check and one wording, whichever way they come in."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from regard.v1 import regard_pb2 as pb
from regard_service.convert.malformed import describe_malformed
from regard_service.convert.model_requests import read_load_model, read_model_name
from regard_service.convert.open_inference.requests import read_request
from regard_service.convert.requests import RequestReader
from regard_service.errors import InvalidInput
from regard_service.http.json_requests import read_body
from regard_service.open_inference import open_inference_pb2 as v2
from regard_service.validation.limits import CallLimits
from regard_service.validation.texts import (
    MAX_NAME_CHARACTERS,
    NOT_UTF8,
    is_utf8,
    loadable_name_fault,
    name_fault,
    text_fault,
)
from tests.integration.fake_backend import MANIFEST

RAW = pb.TextOptions(raw=True)
INVALID = b"\xff\xfe"


def descriptions(refused: InvalidInput) -> list[str]:
    return [violation.description for violation in refused.violations]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a", None),
        ("abcde", None),
        ("", "is empty"),
        (" \n\t", "holds only white space"),
        ("abcdef", "has 6 characters; the limit is 5"),
    ],
)
def test_a_text_has_characters_up_to_the_limit(text: str, fault: str | None) -> None:
    assert text_fault(text, max_characters=5) == fault


@pytest.mark.parametrize("text", ["", " ", "x" * 6])
def test_requests_of_every_task_and_kind_use_the_check(text: str) -> None:
    reader = RequestReader(CallLimits(max_text_characters=5))
    requests: tuple[tuple[Callable[[Any, None], object], object], ...] = (
        (reader.translate, pb.TranslateRequest(texts=[text], text_options=RAW)),
        (reader.translate, pb.StreamTranslateRequest(text=text, text_options=RAW)),
        (reader.summarize, pb.SummarizeRequest(texts=[text])),
        (reader.summarize, pb.StreamSummarizeRequest(text=text)),
    )
    for read, request in requests:
        with pytest.raises(InvalidInput) as refused:
            read(request, None)
        assert descriptions(refused.value) == [text_fault(text, 5)]


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_text_to_translate_may_be_blank(text: str) -> None:
    reader = RequestReader(CallLimits(max_text_characters=5))
    assert reader.translate(pb.TranslateRequest(texts=[text]), None).texts == (text,)
    assert reader.translate(pb.StreamTranslateRequest(text=text), None).texts == (text,)


def test_text_that_is_not_utf8_has_one_wording() -> None:
    over_grpc = describe_malformed("regard.v1.AttentionService.Translate", b"\x12\x02" + INVALID)
    with pytest.raises(InvalidInput) as over_http:
        read_body(INVALID, pb.TranslateRequest())
    with pytest.raises(InvalidInput) as half_of_a_pair:
        read_body(json.dumps({"texts": ["\ud800"]}).encode(), pb.TranslateRequest())
    tensor = v2.ModelInferRequest.InferInputTensor(name="text", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(INVALID)
    with pytest.raises(InvalidInput) as over_open_inference:
        read_request(v2.ModelInferRequest(inputs=[tensor]), MANIFEST, [])
    refusals = (over_grpc, over_http.value, half_of_a_pair.value, over_open_inference.value)
    assert [descriptions(refused) for refused in refusals] == [[NOT_UTF8]] * len(refusals)


def test_bytes_are_utf8_or_not() -> None:
    assert is_utf8("é".encode())
    assert not is_utf8(INVALID)


def test_names_have_one_limit() -> None:
    assert name_fault("n" * MAX_NAME_CHARACTERS) is None
    long = "n" * (MAX_NAME_CHARACTERS + 1)
    fault = name_fault(long)
    assert fault == "has 257 characters; the limit is 256"
    with pytest.raises(InvalidInput) as refused:
        RequestReader(CallLimits()).translate(
            pb.TranslateRequest(texts=["a"], model=long, source_language=long, target_language=long), None
        )
    assert descriptions(refused.value) == [fault] * 3
    with pytest.raises(InvalidInput) as refused:
        read_model_name(pb.GetModelRequest(name=long, version=long))
    assert descriptions(refused.value) == [fault] * 2


def test_a_name_to_load_is_no_path() -> None:
    assert loadable_name_fault("my-model.v2_x") is None
    with pytest.raises(InvalidInput) as refused:
        read_load_model(pb.LoadModelRequest(name="../etc"))
    assert descriptions(refused.value) == [loadable_name_fault("../etc")]
