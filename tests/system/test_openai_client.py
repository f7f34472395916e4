"""OpenAI's client, unmodified, in its own process, against a served model of random weights."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import regard
from regard_export.cli.commands import export_command
from regard_service.auth.tokens import hash_token
from tests.system.served import Served, served
from tests.system.test_door_clients import run_python
from tests.unit.export.encoder_checkpoints import write_encoder

TEXTS = ["Where is the library?", "Two dogs are running through the snow."]
BEARER = [("authorization", "Bearer good")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("openai")
    for name, head in (("vectors", "Model"), ("labels", "ForSequenceClassification")):
        folder = write_encoder(root / "checkpoints" / name, "bert", head)
        options = ["-o", str(root / "models" / name), "--precision", "float32"]
        done = CliRunner().invoke(export_command, [str(folder), *options])
        assert done.exit_code == 0, done.output
    tokens = root / "tokens.toml"
    tokens.write_text(f'[[tokens]]\nname = "ana"\nsha256 = "{hash_token("good")}"\nscopes = ["infer"]\n')
    with served("--model-directories", str(root / "models"), "--openai-door", f"--tokens-file={tokens}") as server:
        yield server


@pytest.fixture(scope="module")
def got(server: Served) -> dict[str, Any]:
    return run_python("openai_python.py", f"http://127.0.0.1:{server.http_port}/openai/v1", "good")


def test_vectors_are_those_of_encode(server: Served, got: dict[str, Any]) -> None:
    with regard.Client(server.target, metadata=BEARER) as client:
        results = client.encode(TEXTS, model="vectors", normalized=True)
    for vector, result in zip(got["vectors"], results, strict=True):
        np.testing.assert_allclose(vector, result.vector, atol=1e-6)
    np.testing.assert_allclose(got["floats"], results[0].vector, atol=1e-6)
    assert (got["indexes"], got["model"]) == ([0, 1], "vectors")
    assert got["usage"] == [sum(result.input.num_tokens for result in results)] * 2


def test_only_models_that_encode_are_listed(got: dict[str, Any]) -> None:
    assert (got["models"], got["shown"]) == (["vectors"], "vectors")


@pytest.mark.parametrize(
    ("name", "error", "field", "code", "words"),
    [
        ("missing", "NotFoundError", None, "model_not_found", "of models that encode there are: vectors@"),
        ("labels", "BadRequestError", "model", None, "its task is classification"),
        ("ids", "BadRequestError", "input", None, "token ids"),
        ("cut", "BadRequestError", "dimensions", None, "have 32 numbers and cannot be cut"),
        ("blank", "BadRequestError", "input[1]", None, "input[1]: "),
        ("long", "BadRequestError", "input", None, "this model takes at most"),
        ("many", "BadRequestError", "input", None, "128"),
        ("key", "AuthenticationError", None, "invalid_api_key", "token"),
    ],
)
def test_errors_have_openais_shape(
    got: dict[str, Any], name: str, error: str, field: str | None, code: str | None, words: str
) -> None:
    raised, param, own_code, message = got[name]
    assert (raised, param, own_code) == (error, field, code)
    assert words in message
