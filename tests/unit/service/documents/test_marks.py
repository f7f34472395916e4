"""Files of very many parts are refused before they are read."""

import pytest

from regard_service.documents import formats
from regard_service.documents.formats import FORMATS, open_document
from regard_service.documents.marks import Marks
from regard_service.documents.unit import Document, DocumentOptions
from regard_service.errors import InvalidInput

MANY = {
    "text": b"a\n",
    "markdown": b"- a\n",
    "html": b"<p>a",
    "srt": b"1\n00:00:01,000 --> 00:00:02,000\na\n\n",
    "vtt": b"00:01.000 --> 00:02.000\na\n\n",
    "ass": b"Dialogue: a\n",
    "po": b'msgid "a"\nmsgstr ""\n\n',
    "json": b'"a",',
}


def must_not_read(data: bytes, options: DocumentOptions) -> Document:
    raise AssertionError("it is read")


@pytest.mark.parametrize(("name", "part"), MANY.items(), ids=MANY.keys())
def test_a_file_of_more_parts_than_are_read_is_refused_before_it_is_read(
    name: str, part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (form,) = [each for each in FORMATS if name in each.names]
    monkeypatch.setattr(formats, "FORMATS", (form._replace(open=must_not_read),))
    with pytest.raises(InvalidInput, match=r"document: has \d+ [a-z, ]+; the limit is \d+"):
        open_document(part * (form.marks.limit + 1), name)


def test_every_format_has_a_limit() -> None:
    assert {name for each in FORMATS for name in each.names} >= MANY.keys()
    assert [each.names[0] for each in FORMATS if not each.marks.limit] == ["xliff", "docx"], "of XML"


def test_the_limit_is_of_all_marks_together() -> None:
    marks = Marks((b"a", b"b"), "letters", 3)
    marks.check(b"abaxx")
    with pytest.raises(InvalidInput, match="has 4 letters; the limit is 3"):
        marks.check(b"abab")
