"""DeepL's own libraries, unmodified and in their own processes, against a served model."""

import json
import os
import re
import shutil
import subprocess
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
SCOPES = {"owner": '["infer", "admin"]', "reader": '["infer"]'}

Got = dict[str, Any]
TEXTS: list[Any] = [["Wo ist die Bibliothek?", "EN", 21], ["Meine Schwester schläft.", "EN", 17]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deepl")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    tokens = folder / "tokens.toml"
    entries = [f'[[tokens]]\nname = "{n}"\nsha256 = "{hash_token(n)}"\nscopes = {s}\n' for n, s in SCOPES.items()]
    tokens.write_text("".join(entries), encoding="utf-8")
    flags = ("--models=everyday", "--deepl-door", f"--tokens-file={tokens}", f"--glossary-directory={folder / 'kept'}")
    with served(*flags) as server:
        yield server


def run(command: list[str]) -> Got:
    """Returns what a client printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def python() -> str:
    if not PYTHON.exists():
        assert not os.environ.get("CI"), "CI makes .venv-clients"
        pytest.skip("`make test` makes .venv-clients")
    return str(PYTHON)


@pytest.fixture(scope="module")
def by_python(server: Served, folder: Path) -> Got:
    address = f"http://127.0.0.1:{server.http_port}/deepl/"
    return run([python(), str(CLIENTS / "deepl_python.py"), address, "owner", "reader", str(folder)])


@pytest.fixture(scope="module")
def by_node(server: Served, folder: Path) -> Got:
    node = shutil.which("node")
    if node is None or not (CLIENTS / "node_modules" / "deepl-node").exists():
        assert not os.environ.get("CI"), "CI makes tests/clients/node_modules"
        pytest.skip("`make browser` installs deepl-node")
    address = f"http://127.0.0.1:{server.http_port}/deepl"
    return run([node, str(CLIENTS / "deepl_node.cjs"), address, "owner", str(folder)])


def test_texts_and_languages(by_python: Got) -> None:
    assert by_python["texts"] == TEXTS
    assert by_python["page"] == "<p>Wo ist <b>die Bibliothek</b>?</p>"
    ignored, model_type = by_python["ignored"]
    assert "<x>green world</x>" in ignored
    assert "<b>meine Schwester</b>" in ignored
    assert model_type == "quality_optimized"
    assert by_python["source"] == [["EN", "English"]]
    assert ["DE", "German", False] in by_python["target"]
    assert by_python["pairs"] == [["en", "de"], ["en", "fr"], ["en", "es"]]


def test_tags_that_sentences_end_at(by_python: Got) -> None:
    document, cut = by_python["outlined"]
    title, rest = document.split("<c>")
    assert title == "<d><t>Mein Haus</t>"
    content, raw = rest.split("</c>")
    assert re.sub("</?par>", "", content) == "Wo ist die Bibliothek?"
    assert content.count("<par>") == content.count("</par>") == 2
    assert raw == "<raw>My sister sleeps.</raw></d>"
    assert cut == "<d>Wo ist die Bibliothek? <cut/>Meine Schwester schläft.</d>"


def test_glossaries(by_python: Got) -> None:
    found = by_python["glossary"]
    assert found["ready"] == [True, "Tiere", 2, True]
    assert "Köter" in found["text"]
    assert found["entries"] == {"dog": "Köter", "#1": "Nummer eins"}
    assert (found["names"], found["same"]) == (["Csv", "Tiere"], True)
    assert found["gone"][0] == "GlossaryNotFoundException"


def test_glossaries_of_several_languages(by_python: Got) -> None:
    found = by_python["multilingual"]
    german, french = found["texts"]
    assert "Köter" in german
    assert "cabot" in french
    assert (found["counts"], found["replaced"]) == ([1, 2], ["EN", "DE", 1])
    assert (found["entries"], found["left"]) == ("dog\tcabot\ncat\tminou", [["EN", "DE"]])
    assert (found["renamed"], found["names"]) == ("Zoo", ["Zoo"])


def test_documents(by_python: Got) -> None:
    found = by_python["document"]
    characters = len("My house") + len("My sister sleeps. code")
    assert found["status"] == ["done", characters]
    assert found["text"] == "# Mein Haus\n\nMeine **Schwester** schläft. `code`\n"
    assert found["format"][0] == "DeepLException"
    assert "has no known ending" in found["format"][1]
    assert "Not found" in found["unknown"][1]


def test_usage_is_that_of_the_key(by_python: Got) -> None:
    used, by_reader = by_python["usage"]
    assert used > sum(size for _, _, size in TEXTS)
    assert (by_reader, by_python["reached"]) == (0, False)


@pytest.mark.parametrize(
    ("case", "kind", "words"),
    [
        ("key", "AuthorizationException", "the token is not known here"),
        ("scope", "AuthorizationException", "does not have the scope 'admin'"),
        ("texts", "DeepLException", "Bad value of text, detail: text: holds 51 texts; the limit is 50"),
        ("none", "DeepLException", "Bad value of text"),
        ("language", "DeepLException", "Bad value of target_lang"),
        ("formality", "DeepLException", "Bad value of formality"),
        ("xml", "DeepLException", "text[0]: is not well-formed XML: line 1"),
        ("glossary", "DeepLException", "there is no glossary 'nothing'"),
        ("path", "DeepLException", "there is no /deepl/v2/write/rephrase"),
    ],
)
def test_errors_are_those_that_the_library_knows(by_python: Got, case: str, kind: str, words: str) -> None:
    found, message = by_python["errors"][case]
    assert found == kind
    assert words in message


def test_the_library_for_node(by_node: Got) -> None:
    assert by_node["texts"] == [[text, source.lower(), size] for text, source, size in TEXTS]
    assert "<x>green world</x>" in by_node["ignored"][0]
    assert by_node["ignored"][1] == "latency_optimized"
    assert by_node["cut"] == "<d>Wo ist die Bibliothek? <cut/>Meine Schwester schläft.</d>"
    assert by_node["target"] == ["de", "es", "es-419", "fr"]
    assert "Köter" in by_node["glossary"]
    assert (by_node["entries"], by_node["french"]) == ({"dog": "Köter"}, {"dog": "cabot"})
    assert by_node["both"] == [["en", "de", 1], ["en", "fr", 1]]
    assert (by_node["status"], by_node["document"]) == (["done", 17], "Meine Schwester schläft.\n")
    assert by_node["count"] > 0
    assert by_node["left"] == 0
    kinds = {case: kind for case, (kind, _) in by_node["errors"].items()}
    assert kinds == {"key": "AuthorizationError", "language": "DeepLError", "glossary": "GlossaryNotFoundError"}


def test_the_documented_example_works_as_it_stands(server: Served, folder: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "deepl.md").read_text(), re.DOTALL)
    text = example.partition("client.translate_document")[0]
    assert text != example
    assert "http://localhost:8080/deepl/" in text
    text = text.replace("http://localhost:8080", f"http://127.0.0.1:{server.http_port}").replace("TOKEN", "owner")
    done = subprocess.run([python(), "-c", text], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout) == (0, "Wo ist die Bibliothek?\n"), done.stderr
