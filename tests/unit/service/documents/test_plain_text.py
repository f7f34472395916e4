"""Plain text: paragraphs are units; everything between stays to the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import open_document
from regard_service.documents.plain_text import open_plain_text
from regard_service.documents.unit import DocumentOptions
from regard_service.errors import InvalidInput
from tests.unit.service.documents.translators import copied, shouted, texts

TEXT = st.text(st.sampled_from("ab é語 \t\n\r.\u2028\x85"), max_size=60)


@given(TEXT)
def test_a_copied_text_is_the_file(text: str) -> None:
    data = text.encode()
    document = open_plain_text(data, DocumentOptions())
    assert document.write(copied(document)).data == data


@given(TEXT, st.integers(1, 9))
def test_every_letter_is_in_a_unit_of_bounded_length(text: str, limit: int) -> None:
    document = open_plain_text(text.encode(), DocumentOptions(max_unit_characters=limit))
    assert all(len(unit.text) <= limit for unit in document.units)
    assert document.write(shouted(document)).data.decode() == text.upper()


def test_paragraphs() -> None:
    document = open_plain_text(b"One.\nTwo.\n \r\n\n  Three.\r\n\r\n---\n\nFour\n", DocumentOptions())
    assert [(unit.text, unit.id) for unit in document.units] == [
        ("One.\nTwo.", "line 1"),
        ("  Three.", "line 5"),
        ("Four", "line 9"),
    ]
    assert (
        document.write(["Eins.\nZwei.", "  Drei.", None]).data == b"Eins.\nZwei.\n \r\n\n  Drei.\r\n\r\n---\n\nFour\n"
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding_and_is_no_text(encoding: str) -> None:
    data = "Grüße an alle.".encode(encoding)
    document = open_document(data, "text/plain")
    assert texts(document) == ["Grüße an alle."]
    assert document.write(["Ça va"]).data == "Ça va".encode(encoding)


def test_a_charset_is_read_and_written() -> None:
    document = open_document("Grüße".encode("latin-1"), 'text/plain; charset="ISO-8859-1"')
    assert document.write(["Ça va"]).data == "Ça va".encode("latin-1")


def test_a_character_that_the_charset_lacks_makes_the_document_utf8_and_says_so() -> None:
    written = open_document(b"Hello", "text/plain; charset=latin-1").write(["Привет"])
    assert written.data == "Привет".encode()
    assert written.faults[0].message == "iso8859-1 has no 'П': the document is UTF-8 now"


@pytest.mark.parametrize(
    ("data", "media_type", "fault"),
    [
        (b"caf\xe9!", "text/plain", "is not UTF-8: byte 3 is 0xe9"),
        (b"\xef\xbb\xbfcaf\xe9!", "text/plain", "is not UTF-8: byte 6 is 0xe9"),
        (b"a\x00b", "text/plain", "is no text: character 1 is NUL"),
        (b"a", "text/plain; charset=klingon", "is in the encoding 'klingon', which is unknown"),
        (b"a", "text/plain; charset=punycode", "is in the encoding 'punycode', which is unknown"),
        (b"a", "text/plain; charset=hex", "is in the encoding 'hex', which is unknown"),
    ],
)
def test_what_cannot_be_decoded_is_refused_with_its_place(data: bytes, media_type: str, fault: str) -> None:
    with pytest.raises(InvalidInput, match=r"^document: ") as error:
        open_document(data, media_type)
    assert error.value.violations[0].description == fault


def test_a_long_line_is_cut_behind_words() -> None:
    text = "word " * 200_000
    document = open_plain_text(text.encode(), DocumentOptions(max_unit_characters=20_000))
    assert max(len(unit.text) for unit in document.units) <= 20_000
    assert all(unit.text.endswith(("word ", "word")) for unit in document.units)
    assert document.write(copied(document)).data.decode() == text


def test_too_many_texts_are_refused_with_the_limit() -> None:
    with pytest.raises(InvalidInput, match="has 3 texts to translate; the limit is 2"):
        open_plain_text(b"a\n\nb\n\nc", DocumentOptions(max_units=2))


def test_an_unknown_format_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidInput, match=r"media_type: is 'application/pdf'; it must be one of text/plain, "):
        open_document(b"", "application/pdf")
