"""Requests of Hugging Face's client: JSON, or the bytes of a picture."""

import json

import pytest

from regard_service.errors import InvalidInput
from regard_service.http.doors.given import Given
from regard_service.http.doors.hugging_face.inputs import read_inference

PICTURE = b"\xff\xd8\xff\xe0{[,,"


def given(body: bytes, content_type: str = "application/json") -> Given:
    return Given({"content-type": content_type}, in_path={"model": "everyday"}, body=body)


def test_bytes_without_a_type_are_a_picture() -> None:
    for content_type in ("", "image/jpeg", "application/octet-stream"):
        read = read_inference(given(PICTURE, content_type))
        assert (read.model, read.inputs, read.is_list) == ("everyday", PICTURE, False)


def test_json_is_json_whatever_curl_says_that_it_is() -> None:
    body = json.dumps({"inputs": ["a", "b"], "parameters": {"num_beams": 2}, "options": {"use_cache": False}}).encode()
    for content_type in ("application/json", "application/x-www-form-urlencoded", ""):
        read = read_inference(given(body, content_type))
        assert (read.inputs, read.parameters, read.is_list) == (["a", "b"], {"num_beams": 2}, True)
    assert read_inference(given(b'{"inputs": "a", "parameters": null}')).parameters == {}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ["inputs"]),
        (b"{", ["request"]),
        (b"[1]", ["request"]),
        (b"{}", ["inputs"]),
        (b'{"inputs": null, "parameters": 3}', ["inputs", "parameters"]),
        (b'{"inputs": "a", "options": [1]}', ["options"]),
        (b'{"inputs": "a", "parameters": [], "options": 0}', ["parameters", "options"]),
        (b'{"input": "a"}', ["input", "inputs"]),
        (b'{"inputs": "a", "inputs": "b"}', ["inputs"]),
        (b"\xff", ["request"]),
    ],
)
def test_bad_fields_are_named(body: bytes, fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        read_inference(given(body))
    assert [violation.field for violation in error.value.violations] == fields
