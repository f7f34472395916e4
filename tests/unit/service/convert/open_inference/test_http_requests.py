"""Requests of the Open Inference Protocol over HTTP, as those of gRPC."""

import base64
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.convert.open_inference.http_requests import read_infer_request, split_body
from regard_service.errors import InvalidInput
from regard_service.open_inference import open_inference_pb2 as v2

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=4), each, max_size=3),
    max_leaves=8,
)


def tensor(**values: Any) -> dict[str, Any]:
    return {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]} | values


def sized(size: int) -> dict[str, Any]:
    return {"name": "text", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}}


def binary(*elements: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(each)) + each for each in elements)


def read(tail: bytes = b"", **value: Any) -> Any:
    return read_infer_request(value, tail, "everyday", "2")


def test_texts_in_the_json() -> None:
    request = read(
        id="7",
        model_name="everyday",
        inputs=[tensor(shape=[2], data=["a", "Zoë"])],
        outputs=[{"name": "text"}, {"name": "score", "parameters": {"binary_data": True}}],
        parameters={"target_language": "de", "num_beams": 4, "raw": True, "top_p": 0.5},
    )
    message = v2.ModelInferRequest(model_name="everyday", model_version="2", id="7")
    given = message.inputs.add(name="text", datatype="BYTES", shape=[2])
    given.contents.bytes_contents.extend([b"a", "Zoë".encode()])
    message.outputs.add(name="text")
    message.outputs.add(name="score")
    message.parameters["target_language"].string_param = "de"
    message.parameters["num_beams"].int64_param = 4
    message.parameters["raw"].bool_param = True
    message.parameters["top_p"].double_param = 0.5
    assert request.message == message
    assert (request.is_binary("text"), request.is_binary("score")) == (False, True)


def test_texts_behind_the_json() -> None:
    tail = binary(b"a", b"bc")
    given = tensor(shape=[2], parameters={"binary_data_size": len(tail)})
    del given["data"]
    request = read(tail, inputs=[given], parameters={"binary_data_output": True})
    assert list(request.message.raw_input_contents) == [tail]
    assert not request.message.inputs[0].HasField("contents")
    assert request.is_binary("text")


def test_pictures_in_the_json_are_base64() -> None:
    request = read(inputs=[tensor(name="image", data=[base64.b64encode(b"\xff\xd8").decode()])])
    assert list(request.message.inputs[0].contents.bytes_contents) == [b"\xff\xd8"]


def test_the_data_of_several_axes_is_read_row_by_row() -> None:
    request = read(inputs=[tensor(shape=[2, 2], data=[["a", "b"], ["c", "d"]])])
    assert list(request.message.inputs[0].contents.bytes_contents) == [b"a", b"b", b"c", b"d"]


@pytest.mark.parametrize(
    ("value", "tail", "field", "words"),
    [
        ({"typo": 1}, b"", "typo", "is not known; there are id, inputs, outputs, parameters"),
        ({"id": 7}, b"", "id", "must be a text; it is 7"),
        ({"inputs": {}}, b"", "inputs", "must be a list of objects; it is {}"),
        ({"inputs": [1]}, b"", "inputs", "must be a list of objects; it is [1]"),
        ({"inputs": [tensor()] * 17}, b"", "inputs", "holds 17 tensors; the limit is 16"),
        ({"inputs": [tensor(shape=None)]}, b"", "inputs[0].shape", "it is missing"),
        ({"inputs": [tensor(shape=[1.5])]}, b"", "inputs[0].shape", "whole numbers; it is [1.5]"),
        ({"inputs": [tensor(shape=[True])]}, b"", "inputs[0].shape", "whole numbers; it is [True]"),
        ({"inputs": [tensor(shape=[2**63])]}, b"", "inputs[0].shape", "whole numbers"),
        ({"inputs": [tensor(datatype=3)]}, b"", "inputs[0].datatype", "must be a text"),
        ({"inputs": [tensor(data=[3])]}, b"", "inputs[0].data[0]", "must be a text; it is 3"),
        ({"inputs": [tensor(name="image", data=["?"])]}, b"", "inputs[0].data[0]", "is no base64"),
        ({"inputs": [tensor(name="image", data=["é"])]}, b"", "inputs[0].data[0]", "is no base64"),
        ({"inputs": [tensor(name="image", data=["\ud800"])]}, b"", "inputs[0].data[0]", "is no base64"),
        (
            {"inputs": [sized(5)]},
            b"1234",
            "inputs[0].parameters.binary_data_size",
            "of which 4 are left; it is 5",
        ),
        (
            {"inputs": [sized(-1)]},
            b"1234",
            "inputs[0].parameters.binary_data_size",
            "it is -1",
        ),
        (
            {"inputs": [tensor(parameters={"binary_data_size": 4})]},
            b"1234",
            "inputs[0].data",
            "is given, and so is binary_data_size",
        ),
        ({"inputs": [tensor()]}, b"1234", "inputs", "take 0 bytes behind the JSON, and there are 4"),
        ({"parameters": {"seed": 2**63}}, b"", "parameters.seed", "must be a text, a number or a boolean"),
        ({"parameters": {"seed": [1]}}, b"", "parameters.seed", "it is [1]"),
        ({"parameters": {"binary_data_output": 1}}, b"", "parameters.binary_data_output", "true or false; it is 1"),
        (
            {"outputs": [{"name": "text", "parameters": {"binary_data": "yes"}}]},
            b"",
            "outputs[0].parameters.binary_data",
            "it is 'yes'",
        ),
    ],
)
def test_what_is_wrong_is_named(value: dict[str, Any], tail: bytes, field: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(tail, **value)
    assert [violation.field for violation in caught.value.violations] == [field]
    assert words in str(caught.value)


@given(JSON_VALUES, st.binary(max_size=8))
def test_any_json_is_read_or_refused(value: Any, tail: bytes) -> None:
    for given_value in (value, {"inputs": value, "outputs": value, "parameters": value}, {"inputs": [value]}):
        with suppress(InvalidInput):
            assert read_infer_request(given_value, tail, "everyday", "").message.model_name == "everyday"


def test_the_header_tells_where_the_json_ends() -> None:
    assert split_body(b"{}ab", None) == (b"{}ab", b"")
    assert split_body(b"{}ab", "2") == (b"{}", b"ab")
    assert split_body(b"{}", "2") == (b"{}", b"")


@pytest.mark.parametrize("header", ["5", "-1", "", "two", "2.0", "٢", "9" * 40])
def test_a_header_that_lies_is_refused(header: str) -> None:
    with pytest.raises(InvalidInput, match=r"^inference-header-content-length: .* at most that of the body, 4"):
        split_body(b"{}ab", header)
