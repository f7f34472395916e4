"""Files through a real server with the shipped translator: client, HTTP and command line."""

import base64
import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import regard
from regard.cli import main
from regard.cli.documents import are_files
from regard_service.app.server import Server
from tests.waiting import PATIENCE_S

MARKDOWN = '# My garden\n\nThe train is late.\n\n```python\nprint("hello")\n```\n\n1. I like it.\n'
SRT = "1\n00:00:01,000 --> 00:00:03,000\nThe door is open.\n\n2\n00:00:03,500 --> 00:00:05,000\nI like it.\n"

SENTENCES = ["My garden", "The train is late.", "The door is open.", "I like it."]


@pytest.fixture(scope="module")
def in_german(client: regard.Client) -> Callable[[str], str]:
    """The same text with each of the sentences translated by itself."""
    german = [result.text for result in client.translate(SENTENCES, "de")]
    assert not set(german) & set(SENTENCES)

    def translated(text: str) -> str:
        for sentence, translation in zip(SENTENCES, german, strict=True):
            text = text.replace(sentence, translation)
        return text

    return translated


def test_the_client_translates_a_file(client: regard.Client, tmp_path: Path, in_german: Callable[[str], str]) -> None:
    (tmp_path / "a.md").write_text(MARKDOWN)
    told: list[tuple[int, int]] = []
    found = client.translate_document(
        tmp_path / "a.md", "de", on_progress=lambda done, total: told.append((done, total))
    )
    assert found.data.decode() == in_german(MARKDOWN)
    assert (found.media_type, found.model, found.warnings) == ("text/markdown", "everyday", ())
    assert told[-1] == (3, 3)
    found.save(tmp_path / "b.md")
    assert (tmp_path / "b.md").read_text() == in_german(MARKDOWN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md", "b.md"]


async def test_the_asyncio_client_translates_bytes(shipped_server: Server, in_german: Callable[[str], str]) -> None:
    async with regard.AsyncClient(f"127.0.0.1:{shipped_server.grpc_port}") as client:
        found = await client.translate_document(SRT.encode(), "de", media_type="srt")
        assert found.data.decode() == in_german(SRT)
        events = [event async for event in client.stream_translate_document(SRT.encode(), "de", file_name="a.srt")]
        assert isinstance(events[0], regard.DocumentStarted)
        assert isinstance(events[1], regard.DocumentProgress)
        assert events[-1] == found


@pytest.mark.parametrize(
    ("media_type", "encoding"),
    [("text/plain; charset=iso-8859-1", "latin-1"), ('Text/Plain;charset="utf-16-le"', "utf-16-le")],
)
def test_the_encoding_may_stand_in_the_media_type(
    client: regard.Client, media_type: str, encoding: str, in_german: Callable[[str], str]
) -> None:
    """Every call with a parameter was refused."""
    found = client.translate_document("The train is late.\n".encode(encoding), "de", media_type=media_type)
    assert found.data.decode(encoding) == in_german("The train is late.\n")
    assert found.media_type == "text/plain"


def test_an_empty_text_is_no_folder(shipped_server: Server) -> None:
    target = f"127.0.0.1:{shipped_server.grpc_port}"
    result = CliRunner().invoke(main, ["translate", "", "--to", "de", "--server", target])
    assert (result.exit_code, result.stdout) == (0, "\n")


def test_http_streams_the_same_events(shipped_server: Server, in_german: Callable[[str], str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shipped_server.http_port, timeout=PATIENCE_S)
    body = {"document": base64.b64encode(MARKDOWN.encode()).decode(), "file_name": "a.md", "target_language": "de"}
    try:
        connection.request("POST", "/v1/translate/document", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse().read().decode()
    finally:
        connection.close()
    events = [block.split("\n") for block in answer.split("\n\n") if block]
    assert events[0] == ["event: started", 'data: {"started":{"num_units":3,"media_type":"text/markdown"}}']
    assert events[-1][0] == "event: finished"
    finished = json.loads(events[-1][1].removeprefix("data: "))["finished"]
    assert base64.b64decode(finished["document"]).decode() == in_german(MARKDOWN)


@pytest.mark.parametrize(
    ("document", "options", "fault"),
    [
        (b'{"a": ', {"media_type": "json"}, "document: is not JSON"),
        (b"caf\xe9", {"media_type": "text/plain"}, "document: is not UTF-8: byte 3 is 0xe9"),
        (b"a", {}, "media_type: is empty"),
        (b"a", {"media_type": "text/plain", "num_beams": 99}, "generation.num_beams: must be in"),
    ],
)
def test_bad_files_are_refused_by_name(
    client: regard.Client, document: bytes, options: regard.calls.options.DocumentOptions, fault: str
) -> None:
    with pytest.raises(regard.InvalidArgument, match=fault):
        client.translate_document(document, "de", **options)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("\ufeffThe train is late.\n\nI like it.\n")
    (tmp_path / "page.md").write_text(MARKDOWN)
    (tmp_path / "film.srt").write_text(SRT)
    (tmp_path / "bad.json").write_text('{"a": ')
    return tmp_path


def translate(server: Server, *arguments: str) -> Result:
    target = f"127.0.0.1:{server.grpc_port}"
    return CliRunner().invoke(main, ["translate", *arguments, "--to", "de", "--server", target])


def test_a_path_that_exists_is_a_file(shipped_server: Server, folder: Path, in_german: Callable[[str], str]) -> None:
    found = translate(shipped_server, "notes.txt")
    assert (found.exit_code, found.stdout) == (0, in_german("\ufeffThe train is late.\n\nI like it.\n"))
    assert found.stderr == ""


def test_one_broken_file_costs_no_other(shipped_server: Server, folder: Path, in_german: Callable[[str], str]) -> None:
    names = ["page.md", "bad.json", "missing.po", "film.srt", "notes.txt"]
    found = translate(shipped_server, *names, "-o", "out/")
    assert found.exit_code == 1
    assert [line.partition(" is not")[0] for line in found.stderr.splitlines()] == [
        "regard: bad.json: INVALID_ARGUMENT: document:",
        "regard: missing.po: No such file or directory",
    ]
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["film.srt", "notes.txt", "page.md"]
    assert (folder / "out" / "page.md").read_text() == in_german(MARKDOWN)


def test_status_0_if_nothing_failed(shipped_server: Server, folder: Path) -> None:
    found = translate(shipped_server, "page.md", "film.srt", "-o", "out", "--json")
    assert found.exit_code == 0
    assert [each["output"] for each in json.loads(found.stdout)] == ["out/page.md", "out/film.srt"]


@pytest.mark.parametrize("output", ["notes.txt", ".", "./", "link.txt"])
def test_an_input_is_not_replaced_silently(shipped_server: Server, folder: Path, output: str) -> None:
    (folder / "link.txt").symlink_to("notes.txt")
    before = (folder / "notes.txt").read_bytes()
    found = translate(shipped_server, "notes.txt", "-o", output)
    assert found.exit_code == 1
    assert "would replace notes.txt" in found.stderr
    assert (folder / "notes.txt").read_bytes() == before
    assert translate(shipped_server, "notes.txt", "-o", output, "--overwrite").exit_code == 0
    assert (folder / "notes.txt").read_bytes() != before or output == "link.txt"


def test_files_of_one_name_keep_their_folders(shipped_server: Server, folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "x.txt").write_text("I like it.\n")
    assert translate(shipped_server, "a/x.txt", "b/x.txt", "-o", "out").exit_code == 0
    assert sorted(str(path.relative_to(folder)) for path in folder.glob("out/*/*")) == ["out/a/x.txt", "out/b/x.txt"]


def test_texts_stay_texts(shipped_server: Server, folder: Path, in_german: Callable[[str], str]) -> None:
    assert translate(shipped_server, "I like it.").stdout == in_german("I like it.\n")
    (folder / "I like it.").mkdir()
    assert translate(shipped_server, "I like it.", "--text").stdout == in_german("I like it.\n")
    found = translate(shipped_server, "I like it.")
    assert (found.exit_code, "I like it.: Is a directory" in found.stderr) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [("notes.txt", "page.md"), ("notes.txt", "--attention"), ("notes.txt", "--json"), ("notes.txt", "--raw")],
)
def test_wrong_usage(shipped_server: Server, folder: Path, arguments: tuple[str, ...]) -> None:
    assert translate(shipped_server, *arguments).exit_code == 2


def test_a_byte_order_mark_is_no_text(shipped_server: Server, folder: Path, in_german: Callable[[str], str]) -> None:
    (folder / "with.txt").write_bytes("I like it.".encode("utf-16"))
    found = translate(shipped_server, "with.txt", "-o", "out.txt")
    assert found.exit_code == 0
    assert (folder / "out.txt").read_bytes() == in_german("I like it.").encode("utf-16")


@pytest.mark.parametrize("name", ["missing.pdf", "missing.txt", "./missing", "../a/b", "a.ODT"])
def test_the_name_of_a_file_that_is_not_there_is_no_text(shipped_server: Server, folder: Path, name: str) -> None:
    found = translate(shipped_server, name)
    assert found.exit_code == 1
    assert (found.stdout, found.stderr) == ("", f"regard: {name}: No such file or directory\n")


@pytest.mark.parametrize("text", ["Hello", "and/or", "https://example.org/a.pdf", "a.b", "See a.pdf"])
def test_a_text_is_no_name(text: str) -> None:
    assert not are_files([text])


def test_an_empty_file_has_an_empty_translation(shipped_server: Server, folder: Path) -> None:
    for name in ("empty.txt", "empty.md", "empty.html", "empty.srt", "empty.po"):
        (folder / name).write_bytes(b"")
        found = translate(shipped_server, name, "-o", f"out-{name}")
        assert (found.exit_code, (folder / f"out-{name}").read_bytes()) == (0, b""), found.stderr
    (folder / "empty.docx").write_bytes(b"")
    assert translate(shipped_server, "empty.docx", "-o", "out.docx").exit_code == 1


def test_the_page_of_the_gallery_keeps_its_tags_in_place(client: regard.Client) -> None:
    page = Path(__file__).parents[2] / "docs" / "examples" / "pages" / "garden.html"
    source = page.read_text()
    for target in ("de", "fr", "es"):
        found = client.translate_document(page, target, num_beams=4)
        output = found.data.decode()
        assert sorted(re.findall("<[^>]+>", output.replace(_alt(output), ""))) == sorted(
            re.findall("<[^>]+>", source.replace(_alt(source), ""))
        )
        assert "<code>ls -l</code>" in output
        assert '<p translate="no">Nobody translates this.</p>' in output
    shown = page.with_suffix(".de.html").read_text()
    assert "<b>kleinen Haus</b>" in shown
    assert shown.split("<h1>")[0].replace("Mein Haus", "My house") == source.split("<h1>")[0]


def _alt(page: str) -> str:
    (found,) = re.findall('alt="[^"]*"', page)
    return str(found)
