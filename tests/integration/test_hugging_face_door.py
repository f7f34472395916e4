"""Hugging Face's door over a real port, with a backend without models: tasks, errors and names of fields."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from regard_service.auth.tokens import hash_token
from regard_service.bundle import Manifest
from regard_service.domain.calls import CaptionCall, SummarizeCall, TranslateCall
from regard_service.errors import InvalidInput, Overloaded
from tests.integration.fake_backend import DAMAGED, MANIFEST, READY, Script
from tests.integration.test_http_api import Answer, call
from tests.integration.test_servicers import Running, failing, open_script, running


def model(name: str, task: str) -> Any:
    manifest = Manifest.model_construct(**{**dict(MANIFEST), "name": name, "task": task})
    return replace(READY, name=name, manifest=manifest)


def three_tasks() -> Script:
    script = open_script()
    script.infos = [READY, model("headlines", "summarization"), model("flickr8k", "captioning"), DAMAGED]
    return script


async def post(server: Running, name: str, body: object = None, **more: Any) -> Answer:
    return await call(server, "POST", f"/hugging-face/{name}", body, **more)


async def test_the_task_of_the_model_is_run() -> None:
    async with running(three_tasks(), hugging_face_door=True) as server:
        languages = {"src_lang": "en", "tgt_lang": "de"}
        one = await post(server, "everyday", {"inputs": "Hello", "parameters": languages})
        many = await post(server, "everyday", {"inputs": ["a", "b"], "parameters": languages})
        summary = await post(server, "headlines", {"inputs": "Hello", "parameters": {"max_length": 11}})
        raw = await post(server, "flickr8k", raw=b"\xff\xd8 a picture", content_type="")
        encoded = await post(server, "flickr8k", {"inputs": "YQ==", "parameters": {"max_new_tokens": 5}})
    assert one.json == [{"translation_text": "Hallo"}]
    assert many.json == [{"translation_text": "Hallo"}] * 2
    assert summary.json == [{"summary_text": "Hallo"}]
    assert raw.json == encoded.json == [{"generated_text": "Hallo"}]
    first, _, third, fourth, fifth = server.script.calls
    assert isinstance(first, TranslateCall)
    assert isinstance(third, SummarizeCall)
    assert isinstance(fourth, CaptionCall)
    assert isinstance(fifth, CaptionCall)
    assert (first.model, first.texts, first.target_language) == ("everyday", ("Hello",), "de")
    assert (third.generation.max_new_tokens, fifth.generation.max_new_tokens) == (10, 5)
    assert (fourth.images, fifth.images) == ((b"\xff\xd8 a picture",), (b"a",))


@pytest.mark.parametrize(
    ("name", "body", "named"),
    [
        ("everyday", {"inputs": 3}, "inputs: must be a text, or a list of texts; it is 3"),
        ("everyday", {"inputs": ["a", 3]}, "inputs[1]: "),
        ("everyday", {"inputs": "a", "parameters": {"tgt_lang": 5}}, "parameters.tgt_lang: "),
        (
            "everyday",
            {"inputs": "a", "parameters": {"generate_parameters": {"num_beams": 99}}},
            "parameters.generate_parameters.num_beams: must be in [1, 16]; it is 99",
        ),
        ("headlines", {"inputs": " "}, "inputs: "),
        ("flickr8k", {"inputs": "?"}, "inputs: "),
    ],
)
async def test_bad_fields_have_the_clients_names(name: str, body: object, named: str) -> None:
    async with running(three_tasks(), hugging_face_door=True) as server:
        answer = await post(server, name, body)
    assert answer.status == 400
    assert list(answer.json) == ["error"]
    assert answer.json["error"].startswith(named)
    assert not server.script.calls


async def test_a_picture_is_no_text() -> None:
    async with running(three_tasks(), hugging_face_door=True) as server:
        answer = await post(server, "everyday", raw=b"\xff\xd8 a picture", content_type="")
    assert (answer.status, answer.json["error"][:24]) == (400, "inputs: must be a text; ")


@pytest.mark.parametrize(("error", "status"), [(Overloaded("full", 1.5), 429), (InvalidInput.of("texts[0]", "x"), 400)])
async def test_errors_of_calls_have_the_doors_shape(error: Exception, status: int) -> None:
    async with running(failing(error), hugging_face_door=True) as server:
        answer = await post(server, "everyday", {"inputs": "a"})
    assert (answer.status, list(answer.json)) == (status, ["error"])


async def test_models_are_described_and_named_in_errors() -> None:
    async with running(three_tasks(), hugging_face_door=True) as server:
        info = await call(server, "GET", "/hugging-face/flickr8k/info")
        versioned = await call(server, "GET", "/hugging-face/everyday@2/health")
        missing = await call(server, "GET", "/hugging-face/everyday@3/health")
        failed = await post(server, "damaged", {"inputs": "a"})
    assert info.json == {"model_id": "flickr8k", "model_sha": "2", "model_pipeline_tag": "image-to-text"}
    assert (versioned.status, missing.status, failed.status) == (200, 404, 503)
    assert "everyday@2" in missing.json["error"]


async def test_the_clients_token_is_ours(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(f'[[tokens]]\nname = "ana"\nsha256 = "{hash_token("good")}"\nscopes = ["infer"]\n')
    async with running(three_tasks(), hugging_face_door=True, tokens_file=tokens) as server:
        body = {"inputs": "a"}
        answers = [
            await post(server, "everyday", body, authorization="Bearer good"),
            await post(server, "everyday", body, authorization="Bearer bad"),
            await post(server, "everyday", body),
            await call(server, "GET", "/hugging-face/everyday/info"),
        ]
    assert [answer.status for answer in answers] == [200, 401, 401, 401]
