"""The Open Inference Protocol over a real HTTP port: JSON, bytes behind it, and what it refuses."""

import json
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import regard
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.http.doors.open_inference.door import OPEN_INFERENCE
from tests.documented_calls import documented_calls
from tests.integration.conftest import running
from tests.waiting import PATIENCE_S

TEXTS = ["Where is the library?", "My sister sleeps."]
LENGTH = "inference-header-content-length"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    settings = Settings(grpc_port=0, http_port=0, models=("everyday", "flickr8k"), open_inference_door=True)
    with running(settings) as server:
        yield server


def send(server: Server, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    """Returns the status, the headers and the body of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{server.http_port}/v2{path}", body, named)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def infer(server: Server, tail: bytes = b"", *, length: str | None = None, **value: Any) -> tuple[int, Any, bytes]:
    head = json.dumps(value).encode()
    stated = str(len(head)) if length is None and tail else length
    headers = {} if stated is None else {LENGTH: stated}
    return send(server, "/models/everyday/infer", head + tail, content_type="application/octet-stream", **headers)


def texts(*elements: str, **values: Any) -> dict[str, Any]:
    given = {"name": "text", "datatype": "BYTES", "shape": [len(elements)], "data": [*elements]}
    return {"inputs": [given | values], "parameters": {"target_language": "de"}, "outputs": [{"name": "text"}]}


def refused(answer: tuple[int, Any, bytes], status: int, *words: str) -> None:
    found, _, body = answer
    assert found == status, body
    assert set(json.loads(body)) == {"error"}
    for word in words:
        assert word in json.loads(body)["error"]


def test_the_answers_are_our_own_clients(server: Server) -> None:
    with regard.Client(f"127.0.0.1:{server.grpc_port}") as client:
        expected = client.translate(TEXTS, to="de", attention="alignment")
    tail = b"".join(struct.pack("<I", len(each)) + each.encode() for each in TEXTS)
    given = {"name": "text", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": len(tail)}}
    outputs = [{"name": "text"}, {"name": "alignment", "parameters": {"binary_data": True}}]
    status, headers, body = infer(
        server, tail, inputs=[given], outputs=outputs, parameters={"target_language": "de"}, id="7"
    )
    assert status == 200
    length = int(headers[LENGTH])
    value = json.loads(body[:length])
    assert value["id"] == "7"
    assert value["outputs"][0]["data"] == [result.text for result in expected]
    rows = np.frombuffer(body[length:], "<f4").reshape(value["outputs"][1]["shape"])
    for row, result in zip(rows, expected, strict=True):
        assert result.alignment is not None
        shape = result.alignment.values.shape
        np.testing.assert_allclose(row[: shape[0], : shape[1]], result.alignment.values, atol=1e-5)


def test_a_picture_in_json_is_base64(server: Server) -> None:
    given = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["bm8gcGljdHVyZQ=="]}
    answer = send(server, "/models/flickr8k/infer", json.dumps({"inputs": [given]}).encode())
    refused(answer, 400, "inputs[0][0]", "is not a JPEG")


def test_a_version_is_part_of_the_path(server: Server) -> None:
    version = json.loads(send(server, "/models/everyday")[2])["versions"][0]
    body = json.dumps(texts("A dog.")).encode()
    status, _, answer = send(server, f"/models/everyday/versions/{version}/infer", body)
    assert (status, json.loads(answer)["model_version"]) == (200, version)
    refused(send(server, "/models/everyday/versions/99/infer", body), 404, "99")
    refused(send(server, "/models/nothing/ready"), 404, "nothing")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (texts(shape=[1]), "its shape is [1], and it has 0 elements"),
        (texts("a", shape=[1, 1]), "it must have one axis"),
        (texts("a", datatype="FP32"), "its datatype must be BYTES; it is 'FP32'"),
        (texts("a", name="x"), "there must be one input, 'text'"),
        (texts("a") | {"inputs": []}, "there must be one input, 'text'"),
        (texts("a") | {"outputs": [{"name": "x"}]}, "outputs[0]: there is no output 'x'"),
        (texts("a") | {"parameters": {"beams": 1}}, "parameters.beams: is not known"),
        (texts("a") | {"parameters": {"target_language": "de", "num_beams": 99}}, "parameters.num_beams: must be in"),
    ],
)
def test_bad_tensors_and_parameters_are_named(server: Server, value: dict[str, Any], words: str) -> None:
    refused(infer(server, **value), 400, words)


def test_lengths_that_lie_are_refused(server: Server) -> None:
    given = texts("a")["inputs"][0]
    refused(infer(server, b"1234", length="100000", inputs=[given]), 400, LENGTH, "at most that of the body")
    refused(infer(server, b"1234", length="3", inputs=[given]), 400, "the body is not JSON")
    sized = given | {"parameters": {"binary_data_size": 1000}}
    refused(infer(server, b"1234", inputs=[sized]), 400, "inputs[0].parameters.binary_data_size", "4 are left")
    del given["data"]
    lying = given | {"parameters": {"binary_data_size": 8}}
    refused(infer(server, struct.pack("<I", 99) + b"text", inputs=[lying]), 400, "end within an element")


def test_json_of_too_many_values_is_refused_before_it_is_parsed(server: Server) -> None:
    many = b'{"inputs":[' + b"[]," * 200_000 + b"[]]}"
    refused(send(server, "/models/everyday/infer", many), 400, "values; no call has as many")
    refused(
        send(server, "/models/everyday/infer", many + b"1234", **{LENGTH: str(len(many))}), 400, "no call has as many"
    )


def test_the_documented_calls_are_those_that_are_answered(server: Server) -> None:
    documented = documented_calls("open-inference.md")
    assert {call for call, supported in documented.items() if supported} == {
        (verb, OPEN_INFERENCE.prefix + call.path) for call in OPEN_INFERENCE.calls for verb in call.verbs
    }
    missing = [(verb, path) for (verb, path), supported in documented.items() if not supported]
    assert len(missing) > 3
    for verb, path in missing:
        body = b"{}" if verb == "POST" else None
        refused(send(server, path.removeprefix("/v2").replace("{model}", "everyday"), body), 404, "there is no /v2")
