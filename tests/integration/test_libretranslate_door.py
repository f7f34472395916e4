"""LibreTranslate's door over a real port, with a backend without models: keys, errors and limits."""

import json
from pathlib import Path
from typing import Any

import pytest

from regard_service.auth.tokens import hash_token
from regard_service.domain.calls import TranslateCall
from regard_service.errors import InvalidInput, ModelNotFound, NotReady, Overloaded, ServiceError
from tests.integration.test_http_api import Answer, call
from tests.integration.test_servicers import Running, failing, running

HELLO = {"q": "Hello", "source": "en", "target": "de"}
PATH = "/libretranslate/translate"


async def post(server: Running, path: str = PATH, body: object = HELLO, **more: Any) -> Answer:
    return await call(server, "POST", path, body, **more)


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    file = tmp_path / "tokens.toml"
    file.write_text(f'[[tokens]]\nname = "ana"\nsha256 = "{hash_token("good")}"\nscopes = ["infer"]\n')
    return file


async def test_texts_reach_the_call_that_the_json_api_makes() -> None:
    async with running(libretranslate_door=True) as server:
        one = await post(server, body=HELLO | {"format": "html"})
        many = await post(server, body=HELLO | {"q": ["a", "b"], "source": "auto"})
        query = await call(server, "POST", f"{PATH}?q=Hello&source=en&target=de")
    assert one.json == query.json == {"translatedText": "Hallo"}
    assert many.json["translatedText"] == ["Hallo", "Hallo"]
    assert many.json["detectedLanguage"] == [{"confidence": 0.0, "language": "und"}] * 2
    first, second, _ = server.script.calls
    assert isinstance(first, TranslateCall)
    assert isinstance(second, TranslateCall)
    assert (first.texts, first.source_language, first.target_language) == (("Hello",), "en", "de")
    assert (first.text_options.format, second.source_language) == ("html", "auto")


@pytest.mark.parametrize(
    "way",
    [
        {"body": HELLO | {"api_key": "good"}},
        {"body": HELLO, "authorization": "Bearer good"},
        {"path": f"{PATH}?api_key=good"},
        {"raw": b"q=Hello&source=en&target=de&api_key=good", "content_type": "application/x-www-form-urlencoded"},
        {"path": f"{PATH}?q=Hello&source=en&target=de&api_key=good", "body": None},
    ],
)
async def test_a_token_may_be_the_key(tokens: Path, way: dict[str, Any]) -> None:
    async with running(libretranslate_door=True, tokens_file=tokens) as server:
        assert (await post(server, **way)).status == 200


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"body": HELLO | {"api_key": "bad"}},
        {"body": HELLO | {"api_key": ""}},
        {"body": HELLO | {"api_key": 3}},
        {"body": HELLO | {"api_key": "bad"}, "authorization": "Basic good"},
        {"path": f"{PATH}?api_key=bad", "body": HELLO | {"api_key": "good"}},
        {"raw": b"{"},
        {"path": "/libretranslate/detect"},
        {"path": "/libretranslate/translate_file"},
    ],
)
async def test_without_a_known_key_nothing_is_translated(tokens: Path, way: dict[str, Any]) -> None:
    async with running(libretranslate_door=True, tokens_file=tokens) as server:
        answer = await post(server, **way)
    assert answer.status == 403
    assert list(answer.json) == ["error"]
    assert "api_key" in answer.json["error"]
    assert not server.script.calls


async def test_what_clients_ask_without_a_key_needs_none(tokens: Path) -> None:
    async with running(libretranslate_door=True, tokens_file=tokens) as server:
        for path in ("languages", "health", "frontend/settings"):
            assert (await call(server, "GET", f"/libretranslate/{path}")).status == 200
        settings = (await call(server, "GET", "/libretranslate/frontend/settings")).json
    assert settings["keyRequired"] is True


async def test_a_body_with_a_key_is_bounded_before_anybody_is_admitted(tokens: Path) -> None:
    limits: dict[str, Any] = {"max_message_bytes": 100_000, "max_buffered_bytes": 20_000}
    async with running(libretranslate_door=True, tokens_file=tokens, **limits) as server:
        long = HELLO | {"q": "a" * 15_000, "api_key": "good"}
        assert (await post(server, body=long)).status == 429
        assert (await post(server, f"{PATH}?api_key=good", long)).status == 200
        too_long = await post(server, body=HELLO | {"q": "a" * 200_000})
    assert too_long.status == 413
    assert "limit is 100000" in too_long.json["error"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput.of("texts[0]", "is bad"), 400),
        (ModelNotFound("there is none"), 400),
        (Overloaded("the queue is full", 1.5), 429),
        (NotReady("loading"), 503),
        (ValueError("a secret"), 500),
    ],
)
async def test_errors_have_libretranslates_shape(error: Exception, status: int) -> None:
    async with running(failing(error), libretranslate_door=True) as server:
        answer = await post(server)
    assert answer.status == status
    assert list(answer.json) == ["error"]
    assert "secret" not in answer.json["error"]
    assert "x-request-id" in answer.headers
    if isinstance(error, Overloaded):
        assert answer.headers["retry-after"] == "2"
    if isinstance(error, ServiceError):
        assert answer.json["error"]
    if isinstance(error, InvalidInput):
        assert answer.json["error"] == "q: is bad"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"source": "xx"}, 'source: "xx" is not supported; there are: auto, en'),
        ({"target": "en"}, 'target: "en" is not available from "en"; there are: de, fr'),
        ({"target": "zz", "source": "auto"}, 'target: "zz" is not available from "auto"; there are: de, fr'),
    ],
)
async def test_a_pair_that_no_model_has_names_the_field(fields: dict[str, str], named: str) -> None:
    async with running(failing(ModelNotFound("none")), libretranslate_door=True) as server:
        answer = await post(server, body=HELLO | fields)
    assert (answer.status, answer.json["error"]) == (400, named)


@pytest.mark.parametrize(
    ("raw", "content_type", "named"),
    [
        (b"{", "application/json", "not JSON"),
        (b"[1]", "application/json", "JSON object"),
        (b"q=%ff", "application/x-www-form-urlencoded", "UTF-8"),
        (b"--x\r\n", "multipart/form-data; boundary=x", "multipart/form-data"),
        (b"Hello", "text/plain", "content-type"),
        (json.dumps({"q": ["a"] * 20_000}).encode(), "application/json", "no call has as many"),
        (json.dumps({"q": ["a"] * 200, "source": "en", "target": "de"}).encode(), "application/json", "q: "),
    ],
)
async def test_bodies_that_cannot_be_read_are_the_callers_fault(raw: bytes, content_type: str, named: str) -> None:
    async with running(libretranslate_door=True) as server:
        answer = await post(server, raw=raw, content_type=content_type)
    assert answer.status == 400
    assert named in answer.json["error"]


async def test_a_suggestion_is_refused_in_words() -> None:
    async with running(libretranslate_door=True) as server:
        answer = await post(server, "/libretranslate/suggest", HELLO)
    assert answer.status == 403
    assert "suggestions" in answer.json["error"]


async def test_forms_of_pages_of_others_are_refused() -> None:
    form: dict[str, Any] = {"raw": b"q=Hello&source=en&target=de", "content_type": "application/x-www-form-urlencoded"}
    async with running(libretranslate_door=True) as server:
        for headers in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}):
            assert (await post(server, **form, **headers)).status == 403
    assert not server.script.calls
