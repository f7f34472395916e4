"""Files of very many parts are refused before they are read."""

from typing import Any

import pytest

from regard_service.documents import formats
from regard_service.documents.formats import FORMATS, open_document
from regard_service.documents.marks import SLICE_BYTES, Marks
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
    with pytest.raises(InvalidInput, match=r"document: has more than \d+ [a-z, ]+"):
        open_document(part * (form.marks.limit + 1), name)


def test_every_format_has_a_limit() -> None:
    assert {name for each in FORMATS for name in each.names} >= MANY.keys()
    assert [each.names[0] for each in FORMATS if not each.marks.limit] == ["xliff", "ts", "docx"], "of XML"


def test_the_limit_is_of_all_marks_together() -> None:
    marks = Marks((b"a", b"b"), "letters", 3)
    marks.check(b"abaxx")
    with pytest.raises(InvalidInput, match="has more than 3 letters"):
        marks.check(b"abab")
    with pytest.raises(InvalidInput, match="has more than 3 letters"):
        marks.check(b"ab" + bytes(SLICE_BYTES) + b"ab")


class Counted(bytes):
    """Notes how many bytes are looked at."""

    num_bytes = 0

    def count(self, *args: Any) -> int:
        _, start, end = args
        Counted.num_bytes += min(end, len(self)) - start
        return super().count(*args)


def test_counting_ends_at_the_limit() -> None:
    with pytest.raises(InvalidInput, match="has more than 3 letters"):
        Marks((b"a",), "letters", 3).check(Counted(b"a" * 10 * SLICE_BYTES))
    assert Counted.num_bytes == SLICE_BYTES
