"""HTML: pages in the encoding that they declare, and balanced parts of a block."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.documents.formats import media_type_of, open_document
from regard_service.documents.html import html_places, is_balanced_html
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
    assert texts(document) == [word]
    assert document.write(copied(document)).data == data
    written = document.write(["語"]).data
    expected = f"{head}<p>語</p>".encode(encoding, "xmlcharrefreplace")
    assert written == expected


@pytest.mark.parametrize("page", ["", "<p></p>", "<script>let a = 1</script><!-- words -->", "<img src='a.png'>"])
def test_a_page_without_words_has_no_unit(page: str) -> None:
    assert open_document(page.encode(), "html").units == []


PAGE = """<!DOCTYPE html>
<html lang="en">
<head><title>My page</title><meta name="description" content="About &amp; more"><style>p { color: red }</style></head>
<body>
<p>The <b>red</b> car is <a href="a?b=1&amp;c=2" title="A car">fast</a>. <img src=x alt="A car"></p>
<img src=x alt='Tom&#39;s car'><input placeholder=Name>
<ul><li>One<li>Two &lt; three</ul>
<p translate="no">Keep me.</p><pre>code here</pre><script>let a = "text"</script><!-- a note -->
</body>
</html>
"""


def test_a_page() -> None:
    document = open_document(PAGE.encode(), "html")
    assert [(unit.text, unit.format, unit.id) for unit in document.units] == [
        ("My page", "html", "line 3"),
        ("About & more", "plain", "line 3"),
        ('The <b>red</b> car is <a href="a?b=1&amp;c=2" title="A car">fast</a>. ', "html", "line 5"),
        ("A car", "plain", "line 5"),
        ("Tom's car", "plain", "line 6"),
        ("Name", "plain", "line 6"),
        ("One", "html", "line 7"),
        ("Two &lt; three", "html", "line 7"),
    ]
    assert document.write(copied(document)).data == PAGE.encode()
    red = '<a href="a?b=1&amp;c=2" title="Auto">Schnell</a> ist das <b>rote</b>. '
    found = document.write(["Meine Seite", 'Über "mich" & mehr', red, "Auto", "Annas 'Auto'", "Ihr Name", "Eins", None])
    assert found.faults == ()
    assert found.data.decode() == (
        PAGE.replace("My page", "Meine Seite")
        .replace("About &amp; more", "Über &quot;mich&quot; &amp; mehr")
        .replace(
            'The <b>red</b> car is <a href="a?b=1&amp;c=2" title="A car">fast</a>. <img src=x alt="A car">',
            f'{red}<img src=x alt="Auto">',
        )
        .replace("Tom&#39;s car", "Annas &#39;Auto&#39;")
        .replace("placeholder=Name", 'placeholder="Ihr Name"')
        .replace("<li>One", "<li>Eins")
    )


@pytest.mark.parametrize(
    "translation", ["Das rote Auto", "Das <b>rote", "<i>Das</i> <b>rote</b> Auto", "<b>a</b><b>b</b>"]
)
def test_a_translation_with_other_tags_leaves_the_source(translation: str) -> None:
    found = open_document(b"<p>The <b>red</b> car</p><p>a</p>", "html").write([translation, "b"])
    assert found.data == b"<p>The <b>red</b> car</p><p>b</p>"
    assert found.faults[0].unit == 0


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ("<details>\n<summary>Click <b>me</b></summary>\n", ["Click <b>me</b>"]),
        ("</details> after", ["after"]),
        ("<br>a<img src=x>b", ["a<img src=x>b"]),
        ("<script>let a = '<p>'</script>", []),
    ],
)
def test_a_block_of_a_larger_text(block: str, parts: list[str]) -> None:
    places = list(html_places(f"x{block}y", Span(1, 1 + len(block))))
    assert [place.units[0].text for place in places] == parts


@pytest.mark.parametrize(
    ("text", "is_balanced"),
    [
        ("a <b>c</b>", True),
        ("a <br> b", True),
        ("a <b>c", False),
        ("a < b", False),
        ("a</b>", False),
        ("<b><i></b></i>", False),
    ],
)
def test_balanced_tags(text: str, is_balanced: bool) -> None:
    assert is_balanced_html(text) == is_balanced


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
    assert not is_balanced_html(f"{hostile}x")


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
