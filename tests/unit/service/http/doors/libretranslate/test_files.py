"""LibreTranslate's files: what is read, and what names come back."""

import pytest

from regard_service.errors import InvalidInput
from regard_service.http.doors.fields import PARTS
from regard_service.http.doors.given import Given
from regard_service.http.doors.libretranslate.files import read_download, read_file_translation


def parts(name: str | None, source: str = "en", target: str = "de", data: bytes = b"Hello") -> Given:
    body = b""
    for field, value in (("source", source), ("target", target)):
        body += f'--x\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
    if name is not None:
        body += f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        body += data + b"\r\n"
    return Given({"content-type": f"{PARTS}; boundary=x"}, body=body + b"--x--\r\n", base_url="http://here")


def test_a_file_is_a_request_of_ours() -> None:
    read = read_file_translation(parts("notes.srt", data=b"\x00\r\n--y\xff"))
    assert read.request.document == b"\x00\r\n--y\xff"
    assert (read.request.file_name, read.request.source_language, read.request.target_language) == (
        "notes.srt",
        "en",
        "de",
    )
    assert read.base_url == "http://here"


@pytest.mark.parametrize(
    ("request_of", "fields"),
    [
        (parts(None), ["file"]),
        (parts("notes.exe"), ["file"]),
        (parts("notes"), ["file"]),
        (parts("a.txt", source="", target="auto"), ["source", "target"]),
        (Given({}, query=(("source", "en"), ("target", "de"), ("file", "a.txt"))), ["file"]),
    ],
)
def test_bad_fields_are_named(request_of: Given, fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        read_file_translation(request_of)
    assert [violation.field for violation in error.value.violations] == fields


@pytest.mark.parametrize("name", ["", "notes.txt", "../../etc/passwd", "A" * 95 + ".txt", "A" * 97 + ".txt"])
def test_no_other_file_can_be_fetched(name: str) -> None:
    with pytest.raises(InvalidInput, match="filename"):
        read_download(Given({}, in_path={"filename": name}))


def test_a_name_is_an_id_a_key_and_a_name() -> None:
    name = "1" * 32 + "A" * 64 + ".notes_de.txt"
    assert read_download(Given({}, in_path={"filename": name})) == ("1" * 32, "A" * 64, "notes_de.txt")
