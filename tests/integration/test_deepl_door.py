"""DeepL's door over a real port: what it answers, as JSON and as forms, and what it refuses."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.auth.tokens import hash_token
from regard_service.http.doors.deepl.described import describe
from regard_service.http.doors.deepl.door import DEEPL
from tests.documented_calls import documented_calls, documented_names
from tests.integration.conftest import running
from tests.waiting import PATIENCE_S, wait_until

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
BOUNDARY = "----parts"


class Got(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("deepl")
    settings = Settings(
        grpc_port=0,
        http_port=0,
        models=("everyday",),
        deepl_door=True,
        glossary_directory=folder / "glossaries",
        document_directory=folder / "documents",
        max_document_bytes=10_000,
    )
    with running(settings) as server:
        yield server


def send(
    server: Server, verb: str, path: str, body: bytes | None = None, content_type: str = JSON, key: str = ""
) -> Got:
    request = urllib.request.Request(f"http://127.0.0.1:{server.http_port}/deepl{path}", body, method=verb)
    if body is not None:
        request.add_header("content-type", content_type)
    if key:
        request.add_header("authorization", key)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return Got(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Got(error.code, dict(error.headers), error.read())


def post(server: Server, path: str, **values: Any) -> Got:
    return send(server, "POST", path, json.dumps(values).encode())


def form(server: Server, verb: str, path: str, *pairs: tuple[str, str]) -> Got:
    return send(server, verb, path, urllib.parse.urlencode(pairs).encode(), FORM)


def upload(server: Server, content: bytes, name: str = "a.txt", **values: str) -> Got:
    values = {"target_lang": "DE", "source_lang": "EN"} | values
    parts = [f'content-disposition: form-data; name="{key}"\r\n\r\n{value}'.encode() for key, value in values.items()]
    parts.append(f'content-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + content)
    body = b"".join(b"--%s\r\n%s\r\n" % (BOUNDARY.encode(), part) for part in parts) + f"--{BOUNDARY}--\r\n".encode()
    return send(server, "POST", "/v2/document", body, f"multipart/form-data; boundary={BOUNDARY}")


def refused(got: Got, status: int, *words: str) -> None:
    """Checks an error: its status, its shape, and what it names."""
    assert got.status == status, got.body
    assert set(got.json) == {"message", "detail"}
    for word in words:
        assert word in f"{got.json['message']} {got.json['detail']}"


def test_json_and_forms_get_the_same_answer(server: Server) -> None:
    texts = ["Where is the library?", "My sister sleeps."]
    by_json = post(server, "/v2/translate", text=texts, target_lang="DE", context="of a town")
    pairs = [("text", text) for text in texts] + [("target_lang", "de"), ("show_billed_characters", "1")]
    by_form = form(server, "POST", "/v2/translate", *pairs)
    assert by_json.json == by_form.json
    assert by_json.json["translations"] == [
        {"detected_source_language": "EN", "text": "Wo ist die Bibliothek?", "billed_characters": 21},
        {"detected_source_language": "EN", "text": "Meine Schwester schläft.", "billed_characters": 17},
    ]
    assert by_json.headers["regard-unused-parameters"] == "context"


def test_tags_and_what_is_ignored(server: Server) -> None:
    text = "Hello <x>green world</x> and <b>my sister</b> sleeps."
    answer = post(server, "/v2/translate", text=[text], target_lang="DE", tag_handling="xml", ignore_tags="x")
    [translated] = [each["text"] for each in answer.json["translations"]]
    assert "<x>green world</x>" in translated
    assert "<b>meine Schwester</b>" in translated


def test_the_languages_of_the_models(server: Server) -> None:
    source = send(server, "GET", "/v2/languages").json
    target = send(server, "GET", "/v2/languages?type=target").json
    assert source == [{"language": "EN", "name": "English"}]
    assert [each["language"] for each in target] == ["DE", "ES", "ES-419", "FR"]
    assert target[0] == {"language": "DE", "name": "German", "supports_formality": False}
    assert form(server, "GET", "/v2/languages", ("type", "target")).json == target


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, ["text", "is missing"]),
        ({"text": []}, ["text", "is missing"]),
        ({"text": ["a"] * 51}, ["Bad value of text", "holds 51 texts; the limit is 50"]),
        ({"text": ["a", 7]}, ["text[1]", "must be a text; it is 7"]),
        ({"text": ["a", "b" * 20_001]}, ["text[1]", "20001 characters; the limit is 20000"]),
        ({"text": ["a"], "target_lang": "XX"}, ["Bad value of target_lang", '"XX" is not written', "de, fr, es"]),
        ({"text": ["a"], "source_lang": "JA"}, ["Bad value of source_lang", '"JA" is not translated to DE', "en"]),
        ({"text": ["a"], "formality": "more"}, ["formality"]),
        ({"text": ["<a>b"], "tag_handling": "xml"}, ["text[0]", "is not well-formed XML: line 1"]),
        ({"text": ["a"], "enable_beta_languages": True}, ["enable_beta_languages", "is not a parameter"]),
    ],
)
def test_a_bad_request_names_the_parameter(server: Server, values: dict[str, Any], words: list[str]) -> None:
    refused(post(server, "/v2/translate", **({"target_lang": "DE"} | values)), 400, *words)


def test_bodies_that_are_none(server: Server) -> None:
    refused(send(server, "POST", "/v2/translate", b"{"), 400, "the body is not JSON")
    refused(send(server, "POST", "/v2/translate", b"[]"), 400, "must be a JSON object")
    refused(send(server, "POST", "/v2/translate", b"text=%ff", FORM), 400, "UTF-8")
    refused(send(server, "POST", "/v2/translate", b"a", "text/csv"), 400, "content-type")
    refused(send(server, "POST", "/v2/write/rephrase", b"{}"), 404, "there is no /deepl/v2/write/rephrase")


def test_a_glossary_from_its_creation_to_its_end(server: Server) -> None:
    new = {"name": "Tiere", "source_lang": "EN", "target_lang": "DE", "entries": "dog\tKöter", "entries_format": "tsv"}
    made = post(server, "/v2/glossaries", **new)
    assert made.status == 201
    path = f"/v2/glossaries/{made.json['glossary_id']}"
    assert send(server, "GET", path).json == made.json
    assert made.json["entry_count"] == 1
    entries = send(server, "GET", path + "/entries")
    assert (entries.headers["content-type"].partition(";")[0], entries.body.decode()) == (
        "text/tab-separated-values",
        "dog\tKöter",
    )
    text = {"text": "The dog sleeps.", "source_lang": "EN", "glossary_id": made.json["glossary_id"]}
    answer = post(server, "/v2/translate", target_lang="DE", **text)
    assert "Köter" in answer.json["translations"][0]["text"]
    refused(post(server, "/v2/translate", target_lang="FR", **text), 400, "glossary_id", "it has en to de")
    assert send(server, "DELETE", path).status == 204
    refused(send(server, "GET", path), 404, "there is no glossary")
    refused(post(server, "/v2/translate", target_lang="DE", **text), 404, "there is no glossary")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": ""}, ["Bad value of name", "is missing"]),
        ({"entries": ""}, ["Bad value of entries"]),
        ({"entries": "dog Hund"}, ["Bad value of entries", "line 1: has 1 cells"]),
        ({"entries": "dog\t" + "x" * 201}, ["entries[0].target", "201 characters; the limit is 200"]),
        ({"entries_format": "xlsx"}, ["entries_format", "tsv or csv"]),
        ({"target_lang": "JA"}, ["Bad value of target_lang", "no model of this server translates en to ja"]),
    ],
)
def test_a_bad_glossary_names_the_parameter(server: Server, values: dict[str, Any], words: list[str]) -> None:
    new = {"name": "a", "source_lang": "EN", "target_lang": "DE", "entries": "dog\tHund"} | values
    refused(post(server, "/v2/glossaries", **new), 400, *words)


def test_dictionaries_of_a_form(server: Server) -> None:
    def dictionary(index: int, target: str, entries: str) -> list[tuple[str, str]]:
        named = {"source_lang": "en", "target_lang": target, "entries": entries, "entries_format": "csv"}
        return [(f"dictionaries[{index}].{name}", value) for name, value in named.items()]

    made = form(
        server,
        "POST",
        "/v3/glossaries",
        ("name", "Tiere"),
        *dictionary(0, "de", "dog,Köter"),
        *dictionary(1, "fr", "dog,cabot"),
    )
    assert [each["target_lang"] for each in made.json["dictionaries"]] == ["de", "fr"]
    path = f"/v3/glossaries/{made.json['glossary_id']}"
    refused(send(server, "GET", path.replace("v3", "v2")), 404, "several dictionaries")
    refused(form(server, "PATCH", path, *dictionary(0, "fr", "dog")), 400, "dictionaries[0].entries", "line 1")
    refused(send(server, "DELETE", path + "/dictionaries?source_lang=en&target_lang=es"), 404, "no dictionary en to es")
    refused(send(server, "DELETE", path + "/dictionaries?source_lang=en"), 400, "target_lang", "is missing")
    [entries] = send(server, "GET", path + "/entries?source_lang=EN&target_lang=FR").json["dictionaries"]
    assert entries["entries"] == "dog\tcabot"
    assert send(server, "DELETE", path).status == 204


def test_a_document_is_translated_while_its_caller_is_away(server: Server) -> None:
    used = send(server, "GET", "/v2/usage").json["character_count"]
    begun = upload(server, b"My sister sleeps.\n\nWhere is the library?\n")
    assert begun.status == 200
    handle, key = begun.json["document_id"], {"document_key": begun.json["document_key"]}
    wait_until(lambda: post(server, f"/v2/document/{handle}", **key).json["status"] == "done")
    done = post(server, f"/v2/document/{handle}", **key).json
    assert done == {"document_id": handle, "status": "done", "billed_characters": 38}
    for _ in range(2):  # it stays, for a download that breaks off
        answer = post(server, f"/v2/document/{handle}/result", **key)
        assert answer.body.decode() == "Meine Schwester schläft.\n\nWo ist die Bibliothek?\n"
    assert send(server, "GET", "/v2/usage").json["character_count"] == used + 38
    refused(post(server, f"/v2/document/{handle}", document_key="other"), 404, "with this key")
    refused(post(server, f"/v2/document/{handle}"), 400, "document_key", "is missing")


@pytest.mark.parametrize(
    ("content", "name", "values", "status", "words"),
    [
        (b"a" * 10_001, "a.txt", {}, 413, ["has 10001 bytes; the limit is 10000"]),
        (b"a", "a.xyz", {}, 400, ["Bad value of file", "has no known ending"]),
        (b"no zip", "a.docx", {}, 400, ["Bad value of file", "is no DOCX"]),
        (b"a", "a.txt", {"output_format": "docx"}, 400, ["output_format"]),
        (b"a", "a.txt", {"target_lang": "XX"}, 400, ["target_lang"]),
        (b"a", "a.txt", {"glossary_id": "nothing"}, 404, ["there is no glossary"]),
        (b"a", "a.txt", {"style_id": "x"}, 400, ["style_id"]),
    ],
)
def test_a_bad_document_is_refused_at_once(
    server: Server, content: bytes, name: str, values: dict[str, str], status: int, words: list[str]
) -> None:
    refused(upload(server, content, name, **values), status, *words)


def test_an_upload_without_a_file(server: Server) -> None:
    refused(
        form(server, "POST", "/v2/document", ("target_lang", "DE")), 400, "Bad value of file", "multipart/form-data"
    )


def test_tokens_stand_in_deepls_header(tmp_path: Path) -> None:
    entries = [("reader", "one", '["infer"]'), ("owner", "two", '["infer", "admin"]')]
    text = "".join(f'[[tokens]]\nname = "{n}"\nsha256 = "{hash_token(t)}"\nscopes = {s}\n' for n, t, s in entries)
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(text)
    settings = Settings(
        grpc_port=0,
        http_port=0,
        models=("everyday",),
        deepl_door=True,
        tokens_file=tokens,
        glossary_directory=tmp_path / "glossaries",
    )
    glossary = {"name": "a", "source_lang": "EN", "target_lang": "DE", "entries": "dog\tHund"}
    with running(settings) as server:

        def keyed(key: str, verb: str, path: str, **values: Any) -> Got:
            return send(server, verb, path, json.dumps(values).encode() if values else None, key=key)

        refused(keyed("", "GET", "/v2/languages"), 403, "Authorization failed")
        refused(keyed("DeepL-Auth-Key three", "GET", "/v2/usage"), 403, "not known")
        assert keyed("DeepL-Auth-Key one", "POST", "/v2/translate", text="A dog.", target_lang="DE").status == 200
        assert keyed("Bearer one", "GET", "/v2/usage").json["character_count"] == 6
        assert keyed("DeepL-Auth-Key two", "GET", "/v2/usage").json["character_count"] == 0
        refused(keyed("DeepL-Auth-Key one", "POST", "/v2/glossaries", **glossary), 403, "admin")
        assert keyed("DeepL-Auth-Key two", "POST", "/v2/glossaries", **glossary).status == 201
        assert len(keyed("DeepL-Auth-Key one", "GET", "/v2/glossaries").json["glossaries"]) == 1


def test_the_documented_calls_are_those_that_are_answered(server: Server) -> None:
    documented = documented_calls("deepl.md")
    assert {call for call, supported in documented.items() if supported} == {
        (verb, call.path) for call in DEEPL.calls for verb in call.verbs
    }
    missing = [call for call, supported in documented.items() if not supported]
    assert len(missing) > 3
    for verb, path in missing:
        refused(send(server, verb, path, b"{}" if verb == "POST" else None), 404, "there is no /deepl")


def test_the_documented_parameters_are_those_that_are_known(server: Server) -> None:
    documented = documented_names("deepl.md", "Parameters of a translation")
    answer = post(server, "/v2/translate", **dict.fromkeys(documented, "\x00"))
    refused(answer, 400)
    assert "is not a parameter" not in answer.json["detail"]
    unknown = post(server, "/v2/translate", text="a", target_lang="DE", nothing=1)
    refused(unknown, 400, "nothing: is not a parameter")
    described = describe("1")["paths"]["/deepl/v2/translate"]["post"]["requestBody"]["content"]["application/json"]
    refused_by_name = {"style_id", "translation_memory_id", "translation_memory_threshold", "custom_instructions"}
    assert set(described["schema"]["properties"]) == documented - refused_by_name
