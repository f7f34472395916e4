"""HTML: pages in the encoding that they declare, and balanced parts of a block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import media_type_of, open_document
from regard_service.documents.html import html_places
from regard_service.documents.places import spliced
from regard_service.domain.results import Span
from tests.unit.service.documents.translators import copied, texts


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("", "utf-8"),
        ("", "utf-16"),
        ('<meta charset="iso-8859-1">', "cp1252"),
        ("<meta http-equiv=content-type content='text/html; charset=koi8-r'>", "koi8-r"),
        ('<?xml version="1.0" encoding="ISO-8859-15"?>', "iso8859-15"),
        ('<meta charset="utf-16">', "utf-8"),
    ],
)
def test_a_page_is_read_and_written_in_its_encoding(head: str, encoding: str) -> None:
    word = "мир" if encoding == "koi8-r" else "café €" if encoding != "iso8859-15" else "café"
    data = f"{head}<p>{word}</p>".encode(encoding)
    document = open_document(data, "html")
    assert texts(document) == [f"{head}<p>{word}</p>"]
    assert document.write(copied(document)).data == data
    written = document.write([f"{head}<p>語</p>"]).data
    expected = f"{head}<p>語</p>".encode(encoding, "xmlcharrefreplace")
    assert written == expected


@pytest.mark.parametrize("page", ["", "<p></p>", "<script>let a = 1</script><!-- words -->", "<img src='a.png'>"])
def test_a_page_without_words_has_no_unit(page: str) -> None:
    assert open_document(page.encode(), "html").units == []


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ("<details>\n<summary>Click <b>me</b></summary>\n", ["<summary>Click <b>me</b></summary>"]),
        ("</details> after", ["after"]),
        ("<p>a<div>b</p>c</div>", ["a", "b", "c"]),
        ("<br>a<img src=x>b", ["<br>a<img src=x>b"]),
        ("<!-- <p> --><i>a</i>", ["<!-- <p> --><i>a</i>"]),
        ("<script>let a = '<p>'</script>", []),
    ],
)
def test_parts_whose_tags_are_balanced(block: str, parts: list[str]) -> None:
    places = list(html_places(f"x{block}y", Span(1, 1 + len(block))))
    assert [place.units[0].text for place in places] == parts


@given(st.text(st.sampled_from("<>/ab \"'!-="), max_size=60))
def test_parts_are_of_the_block_and_in_order(block: str) -> None:
    places = list(html_places(block, Span(0, len(block))))
    spans = [place.spans[0] for place in places]
    assert spans == sorted(spans)
    assert spliced(block, [(span, block[span.start : span.end]) for span in spans]) == block


@pytest.mark.parametrize(
    "hostile", ["<a " * 100_000, "<!--" * 100_000, '<a "' * 50_000, "<b>" * 50_000 + "</i>" * 50_000]
)
def test_hostile_markup_is_read_in_bounded_time(hostile: str) -> None:
    assert len(list(html_places(f"{hostile}x", Span(0, len(hostile) + 1)))) <= 1


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a/b.MD", "text/markdown"),
        ("page.htm", "text/html"),
        ("x.tar.po", "text/x-gettext-translation"),
        ("docx", ""),
        ("a.pdf", ""),
        ("", ""),
    ],
)
def test_media_types_by_name(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
