"""The Open Inference Protocol over HTTP: Triton's and KServe's clients, unmodified, against a served model."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import regard
from regard_service.bundle import Bundle, zoo_folder
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
KSERVE = ROOT / ".venv-kserve" / "bin" / "python"
VERSION = Bundle.load(zoo_folder() / "everyday").manifest.version
TEXTS = ["Where is the library?", "My sister sleeps.", "Nobody likes coffee without sugar."]  # as in the client

Got = dict[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    if not PYTHON.exists():
        assert not os.environ.get("CI"), "CI makes .venv-clients"
        pytest.skip("`make test` makes .venv-clients")
    with served("--models=everyday", "--open-inference-door") as server:
        yield server


def run(*command: str, python: Path = PYTHON) -> str:
    """Returns what a client printed."""
    done = subprocess.run([str(python), *command], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def got(server: Served) -> Got:
    found: Got = json.loads(run(str(CLIENTS / "triton_http.py"), f"127.0.0.1:{server.http_port}", VERSION))
    return found


def test_health_and_metadata(got: Got) -> None:
    assert got["ready"] == [True, True, True, True, False]
    assert (got["server"]["name"], got["server"]["extensions"]) == (
        "regard",
        ["model_configuration", "binary_tensor_data"],
    )
    assert (got["metadata"]["name"], got["metadata"]["versions"]) == ("everyday", [VERSION])
    assert got["metadata"]["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [each["name"] for each in got["config"]["output"]] == [each["name"] for each in got["metadata"]["outputs"]]


@pytest.mark.parametrize("form", ["bytes", "json", "all"])
def test_the_answers_are_our_own_clients(server: Served, got: Got, form: str) -> None:
    with regard.Client(server.target) as client:
        expected = client.translate(TEXTS, to="de", num_beams=4, attention=["alignment", "cross"])
    tensors = {name: np.array(values) for name, values in got[form].items()}
    assert tensors["text"].tolist() == [result.text for result in expected]
    np.testing.assert_allclose(tensors["score"], [result.best.score for result in expected], rtol=1e-5)
    assert tensors["num_tokens"].tolist() == [len(result.best.tokens) for result in expected]
    for row, result in enumerate(expected):
        target, source = len(result.best.tokens), len(result.source_tokens)
        cross = result.best.find_map("cross")
        assert result.alignment is not None
        assert cross is not None
        for name, values in (("alignment", result.alignment.values), ("cross_attention", cross.values)):
            np.testing.assert_allclose(tensors[name][row, ..., :target, :source], values, atol=1e-5)


def test_pieces_are_those_of_the_answer_as_bytes(got: Got) -> None:
    assert got["json"]["tokens"] == got["bytes"]["tokens"] == got["all"]["tokens"]
    assert got["json"]["source_tokens"] == got["bytes"]["source_tokens"]


@pytest.mark.parametrize(
    ("case", "status", "words"),
    [
        ("model", "[404]", "nothing"),
        ("language", "[404]", "xx"),
        ("parameter", "[400]", "parameters.beams: is not known"),
        ("gzip", "[400]", "content-encoding: is not supported"),
    ],
)
def test_what_cannot_be_served_is_told(got: Got, case: str, status: str, words: str) -> None:
    found, message = got["errors"][case]
    assert found == status.strip("[]")
    assert words in message


def test_the_documented_example_works_as_it_stands(server: Served) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "open-inference.md").read_text(), re.DOTALL)
    [example] = [each for each in examples if "tritonclient.http" in each]
    assert "localhost:8080" in example
    printed = run("-c", example.replace("localhost:8080", f"127.0.0.1:{server.http_port}"))
    assert re.fullmatch(r"\[b'Wo ist die Bibliothek\?'\] \(1, \d+, \d+\)\n", printed)


def test_the_client_of_kserve(server: Served) -> None:
    if not KSERVE.exists():
        pytest.skip("`make kserve` makes .venv-kserve, of half a gigabyte, and runs this test")
    address = f"http://127.0.0.1:{server.http_port}"
    got = json.loads(run(str(CLIENTS / "kserve_rest.py"), address, python=KSERVE))
    assert (got["live"], got["ready"], got["model"]) == (True, True, [True, False])
    assert got["bytes"] == got["json"]
    assert got["json"][0] == ["Wo ist die Bibliothek?"]
    assert got["error"][0] == 404
    assert "has no target language 'xx'" in got["error"][1]
