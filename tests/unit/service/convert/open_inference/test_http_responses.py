"""Responses of the Open Inference Protocol over HTTP."""

import json
import struct

import numpy as np
import pytest

from regard_service.convert.open_inference import http_responses
from regard_service.convert.open_inference.http_responses import write_infer_response, write_message
from regard_service.errors import AnswerTooLarge
from regard_service.open_inference import open_inference_pb2 as v2

SCORES = np.array([[0.1, 0.25], [1 / 3, 0]], "<f4")


def response() -> v2.ModelInferResponse:
    message = v2.ModelInferResponse(model_name="everyday", model_version="2", id="7")
    for name, datatype, shape, raw in (
        ("text", "BYTES", [2], b"".join(struct.pack("<I", len(each)) + each for each in (b"a", "Zoë".encode()))),
        ("alignment", "FP32", [2, 2], SCORES.tobytes()),
        ("num_tokens", "INT32", [2], np.array([3, 4], "<i4").tobytes()),
    ):
        message.outputs.add(name=name, datatype=datatype, shape=shape)
        message.raw_output_contents.append(raw)
    return message


def test_tensors_in_the_json() -> None:
    body, length = write_infer_response(response(), lambda name: False)
    assert length is None
    value = json.loads(body)
    assert (value["model_name"], value["model_version"], value["id"]) == ("everyday", "2", "7")
    data = {each["name"]: each["data"] for each in value["outputs"]}
    assert data == {"text": ["a", "Zoë"], "alignment": [0.1, 0.25, 0.33333334, 0.0], "num_tokens": [3, 4]}
    np.testing.assert_array_equal(np.array(data["alignment"], np.float32).reshape(2, 2), SCORES)


def test_tensors_behind_the_json() -> None:
    body, length = write_infer_response(response(), lambda name: name != "text")
    assert length is not None
    value, tail = json.loads(body[:length]), body[length:]
    sizes = [each.get("parameters", {}).get("binary_data_size") for each in value["outputs"]]
    assert sizes == [None, 16, 8]
    assert "data" not in value["outputs"][1]
    assert tail == SCORES.tobytes() + np.array([3, 4], "<i4").tobytes()


def test_more_numbers_than_json_may_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_responses, "MAX_JSON_NUMBERS", 5)
    with pytest.raises(
        AnswerTooLarge, match="outputs: hold 6 numbers; as JSON at most 5 are sent: ask for binary_data"
    ):
        write_infer_response(response(), lambda name: False)
    write_infer_response(response(), lambda name: name == "alignment")


def test_lengths_of_axes_are_numbers() -> None:
    message = v2.ModelMetadataResponse(name="everyday", versions=["2"])
    message.inputs.add(name="text", datatype="BYTES", shape=[-1])
    assert write_message(message) == {
        "name": "everyday",
        "versions": ["2"],
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
    }
