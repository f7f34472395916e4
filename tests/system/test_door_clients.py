"""Clients of LibreTranslate's and Hugging Face's APIs, unmodified, in their own processes, against a served model."""

import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from regard_service.auth.tokens import hash_token
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
GERMAN, SPANISH = "Wo ist die Bibliothek?", "¿Dónde está la biblioteca?"
SISTER = {"de": "Meine Schwester schläft.", "es": "Mi hermana duerme."}

Got = dict[str, Any]


def run(*command: str) -> Got:
    """What a client prints. A login of the developer's stays at home."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1"
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=environment, cwd=CLIENTS
    )
    assert done.returncode == 0, done.stderr
    got: Got = json.loads(done.stdout)
    return got


def run_python(script: str, *arguments: str) -> Got:
    if not PYTHON.exists():
        assert not os.environ.get("CI"), "CI makes .venv-clients"
        pytest.skip("`make test` makes .venv-clients")
    return run(str(PYTHON), script, *arguments)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    flags = ("--models=everyday,headlines,flickr8k", "--libretranslate-door", "--hugging-face-door")
    with served(*flags) as server:
        yield server


@pytest.fixture(scope="module")
def libretranslate(server: Served) -> Got:
    return run_python("libretranslate_python.py", f"http://127.0.0.1:{server.http_port}/libretranslate", "")


def test_libretranslatepy(libretranslate: Got) -> None:
    got = libretranslate["libretranslatepy"]
    assert got["text"] == GERMAN
    assert {each["code"]: each["targets"] for each in got["languages"]} == {
        "de": [],
        "en": ["de", "es", "fr"],
        "es": [],
        "fr": [],
    }
    [detected] = got["detected"]
    assert detected["language"] == "en"
    assert 50 < detected["confidence"] <= 100
    assert got["bad"].startswith("HTTPError: HTTP Error 400")


def test_deep_translator(libretranslate: Got) -> None:
    got = libretranslate["deep_translator"]
    assert got["text"] == GERMAN
    assert got["texts"] == [GERMAN, SISTER["de"]]


def test_libretranslate_aio(libretranslate: Got) -> None:
    got = libretranslate["libretranslate_aio"]
    assert got["texts"] == [SPANISH, SISTER["es"]]
    assert got["detected"] == ["en", "en"]
    assert got["page"] == "<p>Wo ist <b>die Bibliothek</b>?</p>"
    assert len(set(got["alternatives"])) == 3
    assert got["alternatives"][0] == GERMAN
    assert got["languages"]["en"] == ["de", "es", "fr"]
    assert got["detect"][0][0] == "en"
    assert got["file"].splitlines() == ["1", "00:00:01,000 --> 00:00:02,000", GERMAN]
    assert got["settings"] == [20_000, False, False]
    assert got["suggest"].startswith("ForbiddenError: this server takes no suggestions")
    assert got["bad"].startswith('BadRequestError: target: "xx" is not available from "en"')
    assert got["health"] is True
    assert got["asynchronous"] == [GERMAN, SISTER["de"]]


def test_keys_of_libretranslates_clients_are_tokens(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(f'[[tokens]]\nname = "ana"\nsha256 = "{hash_token("good")}"\nscopes = ["infer"]\n')
    with served("--models=everyday", "--libretranslate-door", f"--tokens-file={tokens}") as server:
        got = run_python("libretranslate_python.py", f"http://127.0.0.1:{server.http_port}/libretranslate", "good")
    assert got["libretranslatepy"]["text"] == got["deep_translator"]["text"] == GERMAN
    assert got["libretranslatepy"]["forbidden"].startswith("HTTPError: HTTP Error 403")
    assert got["deep_translator"]["forbidden"].startswith("AuthorizationException")
    assert got["libretranslate_aio"]["settings"] == [20_000, True, False]
    assert got["libretranslate_aio"]["texts"] == [SPANISH, SISTER["es"]]


def test_libretranslate_of_npm(server: Served) -> None:
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules").exists():
        assert not os.environ.get("CI"), "CI runs `make browser`"
        pytest.skip("missing: node, or tests/clients/node_modules (make browser)")
    got = run(node, "libretranslate_node.mjs", f"http://127.0.0.1:{server.http_port}/libretranslate")
    assert got == {
        "translated": GERMAN,
        "detected": SISTER["es"],
        "unknown": "This language was not found/does not exist.",
    }


def post(server: Served, path: str, body: bytes, content_type: str) -> Any:
    url = f"http://127.0.0.1:{server.http_port}/libretranslate{path}"
    request = urllib.request.Request(url, body, {"content-type": content_type})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def test_requests_as_mastodon_sends_them(server: Served) -> None:
    """From app/lib/translation_service/libre_translate.rb: a status' texts and its poll's options are one list."""
    body = {"q": ["<p>Where is the <b>library</b>?</p>", "My sister sleeps."], "source": "auto", "target": "de"}
    sent = json.dumps(body | {"format": "html", "api_key": None}).encode()
    got = post(server, "/translate", sent, "application/json")
    assert got["translatedText"] == ["<p>Wo ist die <b>Bibliothek</b>?</p>", SISTER["de"]]
    assert [each["language"] for each in got["detectedLanguage"]] == ["en", "en"]


def test_requests_as_weblate_sends_them(server: Served) -> None:
    """From weblate/machinery/libretranslate.py."""
    got = post(
        server,
        "/translate",
        b"api_key=&q=Where+is+the+library%3F&source=en&target=de",
        "application/x-www-form-urlencoded",
    )
    assert got == {"translatedText": GERMAN}


def test_hugging_faces_client(server: Served) -> None:
    address = f"http://127.0.0.1:{server.http_port}/hugging-face"
    got = run_python("hugging_face_python.py", address, str(ROOT / "docs" / "examples" / "photos" / "cat.jpg"))
    assert got["translation"] == GERMAN
    assert got["greedy"] == GERMAN
    assert got["summary"]
    assert got["bytes"] == got["path"] != ""
    assert "parameters.tgt_lang: model 'everyday' has no target language 'xx'" in got["language"]
    assert "parameters.generate_parameters.num_beams: must be in [1, 16]; it is 99" in got["parameter"]
    assert "parameters.generate_parameters.typical_p: " in got["unknown"]
    assert "there is no model 'nothing'" in got["model"]
    assert "inputs: is not a JPEG, PNG or WebP file" in got["picture"]
