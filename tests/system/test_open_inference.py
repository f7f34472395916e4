"""The Open Inference Protocol: Triton's own client, unmodified and in its own process, against a served model."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

import regard
from regard_service.bundle import Bundle, zoo_folder
from regard_service.open_inference import open_inference_pb2 as v2
from tests.system.served import served
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"

Got = dict[str, Any]
VERSION = Bundle.load(zoo_folder() / "everyday").manifest.version
TEXTS = ["Where is the library?", "My sister sleeps.", "Nobody likes coffee without sugar."]  # as in the peer


def peers() -> Path:
    """Where Triton's client is."""
    if not PYTHON.exists():
        assert not os.environ.get("CI"), "CI makes .venv-peers"
        pytest.skip("`make test` makes .venv-peers")
    return PYTHON


@pytest.fixture(scope="module")
def expected_and_got(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[regard.Result], Got]:
    """What our own client receives for the texts, and what Triton's printed."""
    python = peers()
    descriptors = tmp_path_factory.mktemp("open-inference") / "descriptors"
    ours = FileDescriptorProto()
    v2.DESCRIPTOR.CopyToProto(ours)
    descriptors.write_bytes(ours.SerializeToString())
    with served("--models=everyday", "--open-inference") as server:
        command = [str(python), str(ROOT / "tests" / "peers" / "triton.py"), server.target, str(descriptors), VERSION]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr
        with regard.Client(server.target) as client:
            expected = client.translate(TEXTS, to="de", num_beams=4, attention=["alignment", "cross"])
    return expected, json.loads(done.stdout)


@pytest.fixture(scope="module")
def got(expected_and_got: tuple[list[regard.Result], Got]) -> Got:
    return expected_and_got[1]


def test_names_and_numbers_are_those_of_the_contract(got: Got) -> None:
    assert got["contract"] == []


def test_health_and_metadata(got: Got) -> None:
    assert (got["live"], got["ready"], got["model_ready"], got["version_ready"]) == (True, True, True, True)
    assert got["other_ready"] is False
    assert (got["server"]["name"], got["server"]["extensions"]) == ("regard", ["model_configuration"])
    metadata, config = got["metadata"], got["config"]["config"]
    assert (metadata["name"], metadata["versions"]) == ("everyday", [VERSION])
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": ["-1"]}]
    types = {"BYTES": "TYPE_STRING", "FP32": "TYPE_FP32", "INT32": "TYPE_INT32"}
    described = {tensor["name"]: (types[tensor["datatype"]], tensor["shape"]) for tensor in metadata["outputs"]}
    assert {tensor["name"]: (tensor["data_type"], tensor["dims"]) for tensor in config["output"]} == described
    assert config.get("max_batch_size", 0) == 0


def test_the_answers_are_our_own_clients(expected_and_got: tuple[list[regard.Result], Got]) -> None:
    expected, got = expected_and_got
    assert got["answer"]["id"] == "7"
    tensors = {name: np.array(each["values"]) for name, each in got["answer"]["tensors"].items()}
    assert set(tensors) == {tensor["name"] for tensor in got["metadata"]["outputs"]}
    assert tensors["text"].tolist() == got["texts_only"] == [result.text for result in expected]
    np.testing.assert_allclose(tensors["score"], [result.best.score for result in expected], rtol=1e-5)
    assert tensors["num_tokens"].tolist() == [len(result.best.tokens) for result in expected]
    for row, result in enumerate(expected):
        target, source = len(result.best.tokens), len(result.source_tokens)
        assert tensors["tokens"][row, :target].tolist() == [token.piece for token in result.best.tokens]
        assert set(tensors["tokens"][row, target:]) <= {""}
        assert tensors["source_tokens"][row, :source].tolist() == [token.piece for token in result.source_tokens]
        cross = result.best.find_map("cross")
        assert result.alignment is not None
        assert cross is not None
        for name, values in (("alignment", result.alignment.values), ("cross_attention", cross.values)):
            np.testing.assert_allclose(tensors[name][row, ..., :target, :source], values, atol=1e-5)
            assert not tensors[name][row, ..., target:, :].any()
            assert not tensors[name][row, ..., source:].any()


@pytest.mark.parametrize(
    ("case", "status", "words"),
    [
        ("model", "NOT_FOUND", "nothing"),
        ("language", "NOT_FOUND", "xx"),
        ("input", "INVALID_ARGUMENT", "inputs[0]: there must be one input, 'text'"),
        ("output", "INVALID_ARGUMENT", "outputs[0]: there is no output 'x'"),
        ("parameter", "INVALID_ARGUMENT", "parameters.beams: is not known"),
        ("bounds", "INVALID_ARGUMENT", "parameters.num_beams: must be in [1, 16]; it is 99"),
        ("type", "INVALID_ARGUMENT", "parameters.num_beams: cannot be 'four'"),
        ("empty", "INVALID_ARGUMENT", "inputs[0][1]: holds only white space"),
        ("statistics", "UNIMPLEMENTED", ""),
    ],
)
def test_what_cannot_be_served_is_told(got: Got, case: str, status: str, words: str) -> None:
    code, message = got["errors"][case]
    assert status in code
    assert words in message


def test_the_documented_example_works_as_it_stands() -> None:
    python = peers()
    example = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "open-inference.md").read_text(), re.DOTALL)[0]
    assert "localhost:50051" in example
    with served("--models=everyday", "--open-inference") as server:
        command = [str(python), "-c", example.replace("localhost:50051", server.target)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\[b'Wo ist die Bibliothek\?'\] \(1, \d+, \d+\)\n", done.stdout)
