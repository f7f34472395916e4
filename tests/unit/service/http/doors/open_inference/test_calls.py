"""Reading requests of the Open Inference Protocol: any bytes are read or refused by name."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.errors import InvalidInput
from regard_service.http.doors.given import Given
from regard_service.http.doors.open_inference.calls import LENGTH_HEADER, json_of, read_infer

HEAD = json.dumps({"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}).encode()


def request(body: bytes, **headers: str) -> Given:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Given(named, (), {"model": "everyday", "version": "2"}, body)


def test_the_path_names_the_model() -> None:
    read = read_infer(request(HEAD))
    assert (read.message.model_name, read.message.model_version) == ("everyday", "2")
    assert json_of(request(HEAD + b"1234", **{LENGTH_HEADER: str(len(HEAD))})) == HEAD


def test_compressed_bodies_are_refused() -> None:
    with pytest.raises(InvalidInput, match="content-encoding: is not supported"):
        json_of(request(HEAD, content_encoding="gzip"))
    assert read_infer(request(HEAD, content_encoding="identity")).message.inputs


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=64) | st.binary(max_size=16).map(HEAD.__add__), st.integers(-2, 200) | st.text(max_size=4))
def test_any_body_and_any_length(body: bytes, length: int | str) -> None:
    for given_request in (request(body), request(body, **{LENGTH_HEADER: str(length)})):
        with suppress(InvalidInput):
            read_infer(given_request)
        with suppress(InvalidInput):
            assert body.startswith(json_of(given_request))
