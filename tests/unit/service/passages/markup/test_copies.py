"""A model that copies: what goes in comes out, whatever it is."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.domain.elements import ElementRules
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.markup.parse import parse
from regard_service.passages.markup.segments import TranslatedSegment
from regard_service.passages.markup.tokens import MarkupError
from regard_service.passages.markup.units import MarkedText
from regard_service.passages.markup.writing import write

PARTS = [
    "<", ">", "&", "/", "!", "?", '"', "'", "=", " ", "\n", "\r\n", "\t", "\0", "-", "--", "-->", "--!>", "<!--", "<!",
    "<p>", "</p>", "<P class=x>", "<b>", "</b>", "<i title='a b'>", "</i>", "<a href=\"?a=1&amp;b=2\">", "</a>",
    "<br>", "<br/>", "<x id=1/>", "<img alt=red src=x>", "<code>", "</code>", "<pre>", "</pre>", "<script>",
    "</script>", "<style>", "</style>", "<title>", "</title>", "<textarea>", "</textarea>", "<svg>", "</svg>",
    "<![CDATA[", "]]>",
    "<li>", "<td>", "<tr>", "<table>", "</table>", "<span translate=no>", "<div translate=no>", "</span>", "</div>",
    "<b translate=yes>", "<!doctype html>", "<?xml?>", "</>", "&lt;", "&amp;", "&nbsp;", "&#32;", "&eacute", "&notit;",
    "&#0;", "&#x10ffff;", "&bogus;", "red", "car", "A car.", "é", "日本", "\U0001f600", "1 < 2", "\ufeff", "plaintext",
]  # fmt: skip
"""Pieces of markup, whole and broken."""


def copied(marked: MarkedText, cut: str = r"[^.]+\.?") -> str:
    """What is written when each sentence of each unit is "translated" into itself."""
    return write(
        marked, [[copy(unit.text, *match.span()) for match in re.finditer(cut, unit.text)] for unit in marked.units]
    ).text


def copy(text: str, start: int, end: int) -> TranslatedSegment:
    return TranslatedSegment(Span(start, end), AlignedText(text[start:end], text[start:end], (), ()))


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PARTS), max_size=25).map("".join))
def test_html_is_the_same(source):
    marked = parse(source, "html")
    assert copied(marked) == source
    assert copied(marked, ".") == source
    for unit in marked.units:
        assert unit.edited(source).text == unit.text


NAMES = st.frozensets(st.sampled_from(["p", "b", "i", "a", "br", "x", "code", "li", "td", "span"]), max_size=3)
RULES = st.builds(ElementRules, ignored=NAMES, splitting=NAMES, non_splitting=NAMES, has_outline=st.booleans())


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PARTS), max_size=25).map("".join), RULES, st.sampled_from(["html", "xml"]))
def test_markup_is_the_same_whatever_is_said_about_elements(source, elements, markup):
    try:
        marked = parse(source, markup, elements)
    except MarkupError:
        return
    assert copied(marked) == source
    assert copied(marked, ".") == source
    for unit in marked.units:
        assert unit.edited(source).text == unit.text


@settings(max_examples=400)
@given(st.text(alphabet=st.sampled_from("<>/!?-=\"'& \nabp;#"), max_size=60))
def test_html_of_single_characters_is_the_same(source):
    assert copied(parse(source, "html")) == source


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_xml_is_the_same_or_refused(source):
    try:
        marked = parse(source, "xml")
    except MarkupError:
        return
    assert copied(marked) == source
