"""Tags go around the words that say the same; each once, well-formed."""

import re
from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.markup.parse import parse
from regard_service.passages.markup.segments import TranslatedSegment
from regard_service.passages.markup.words import words
from regard_service.passages.markup.writing import write


def tokens(text: str) -> list[Span]:
    return [Span(*match.span()) for match in re.finditer(r"\w+|[^\w\s]", text)]


def aligned(source: str, target: str, links: str) -> AlignedText:
    """A segment of which token t of the target is aligned with s of the source, for each "s-t"."""
    source_spans, target_spans = tokens(source), tokens(target)
    weights = np.zeros((len(target_spans), len(source_spans)), np.float32)
    for link in links.split():
        column, row = map(int, link.split("-"))
        weights[row, column] = 1
    return AlignedText(source, target, tuple(source_spans), tuple(target_spans), weights)


def translated(markup: str, target: str, links: str, kind="html") -> str:
    """Writes a text of one unit with its translation."""
    marked = parse(markup, kind)
    (unit,) = marked.units
    segment = TranslatedSegment(Span(0, len(unit.text)), aligned(unit.text, target, links))
    return write(marked, [[segment]]).text


@pytest.mark.parametrize(
    ("markup", "target", "links", "expected"),
    [
        ("<p>The <b>red</b> car</p>", "Das rote Auto", "0-0 1-1 2-2", "<p>Das <b>rote</b> Auto</p>"),
        ("<p>The <b>red</b> car</p>", "La voiture rouge", "0-0 1-2 2-1", "<p>La voiture <b>rouge</b></p>"),
        ("I <b>do not</b> go.", "Je ne vais pas.", "0-0 1-1 2-3 3-2 4-4", "Je <b>ne vais pas</b>."),
        ("Say <q>hello</q>, <i>you</i>.", "Sag hallo, du.", "0-0 1-1 2-2 3-3 4-4", "Sag <q>hallo</q>, <i>du</i>."),
        ("<i>Red</i> <b>car</b>", "Voiture rouge", "0-1 1-0", "<b>Voiture</b> <i>rouge</i>"),
        ("<i>a <b>red</b></i> car", "voiture rouge une", "0-2 1-1 2-0", "voiture <i><b>rouge</b> une</i>"),
        ("one<br id=1>two", "x", "", None),
        ("Press <img src=a> now", "Jetzt drücken", "0-1 1-0", "<img src=a> Jetzt drücken"),
        ("5 &lt; 6 &amp; true", "6 & 5 < wahr", "0-2 1-3 2-0 3-1 4-4", "6 &amp; 5 &lt; wahr"),
        ("a &amp; b", "<b>&", "", "&lt;b&gt;&amp;"),
        ("caf&eacute; red", "rotes café", "0-1 1-0", "rotes caf&eacute;"),
        ("Run <code>a &lt; b</code> now", "Nun a < b tun", "", "Nun <code>a &lt; b</code> tun"),
        ("Run <code>ls</code> now", "Nun tun", "0-1 2-0", "Nun tun <code>ls</code>"),
        ("<b>The </b>car", "Das Auto", "0-0 1-1", "<b>Das </b>Auto"),
        ("The<b> car</b>", "Das Auto", "0-0 1-1", "Das<b> Auto</b>"),
        ("The &x; R&D at AT&T", "Das R&D bei AT&T", "0-0 1-1 2-2 3-3", "Das &x; R&D bei AT&T"),
        ("a & b", "a &copy", "0-0", "a &amp;copy"),
        ("two<sup>[1]</sup> cars", "Autos zwei", "0-1 1-0", "Autos zwei<sup>[1]</sup>"),
        ("C<sub>6</sub>H<sub>12</sub> here", "Hier C6H12", "0-1 1-0", "Hier C<sub>6</sub>H<sub>12</sub>"),
        ("H<sub>2</sub>O", "Wasser", "0-0", "<sub>Wasser</sub>"),
        ("The car<b> </b>here", "Das Auto hier", "0-0 1-1 2-2", "Das Auto<b> </b>hier"),
        ("a <b>red</b>, new", "un, rouge", "0-0 1-1 1-2", "un, <b>rouge</b>"),
    ],
)
def test_tags_follow_the_alignment(markup, target, links, expected):
    if expected is not None:
        assert translated(markup, target, links) == expected


def test_an_attribute_is_translated_and_quoted():
    marked = parse("<p>A <img alt=car title='a \"red\" one'> here</p>", "html")
    texts = [unit.text for unit in marked.units]
    assert texts == ["A here", "car", 'a "red" one']
    targets = {"A here": "Hier ein", "car": "ein Auto > Bus", 'a "red" one': 'l\'un "rouge"'}
    segments = [[TranslatedSegment(Span(0, len(t)), aligned(t, targets[t], ""))] for t in texts]
    written = write(marked, segments)
    assert 'alt="ein Auto &gt; Bus"' in written.text
    assert "title='l&#39;un \"rouge\"'" in written.text
    for found, expected in zip(written.segments, ["Hier", '"ein Auto', "l&#39;un"], strict=True):
        assert expected in written.text[slice(*found[0].target)]


WORDS = st.sampled_from("red car the a. b, (c) it's x-y".split())


@st.composite
def fragments(draw: st.DrawFn, depth: int = 3) -> str:
    """Well-formed XML with words, pairs, single tags, kept texts."""
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.integers(0, 5))
        if kind <= 2 or depth == 0:
            parts.append(draw(WORDS))
        elif kind == 3:
            parts.append(draw(st.sampled_from(["<x/>", "<!--c-->", "<code>ls -l</code>", "&nbsp;", "&lt;"])))
        else:
            parts.append(f"<b>{draw(fragments(depth=depth - 1))}</b>")
        parts.append(draw(st.sampled_from(["", " "])))
    return "".join(parts)


@settings(max_examples=300)
@given(fragments().map("w {}".format), st.data())
def test_output_is_well_formed_and_has_each_tag_once(source, data):
    marked = parse(source, "xml")
    segments: list[list[TranslatedSegment]] = []
    for unit in marked.units:
        cuts = sorted({0, len(unit.text), *data.draw(st.lists(st.integers(0, len(unit.text)), max_size=2))})
        segments.append([])
        for start, end in pairwise(cuts):
            text = unit.text[start:end]
            target = " ".join(data.draw(st.lists(WORDS | st.sampled_from(["ls -l", "<", "&"]), min_size=1, max_size=6)))
            shape = len(tokens(target)), len(tokens(text))
            weights = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape, np.float32)
            pair = AlignedText(text, target, tuple(tokens(text)), tuple(tokens(target)), weights)
            segments[-1].append(TranslatedSegment(Span(start, end), pair))
    written = write(marked, segments).text
    ElementTree.fromstring(f"<r>{written}</r>".replace("&nbsp;", " "))
    pattern = r"</?[a-z]+/?>|<!--c-->"
    assert Counter(re.findall(pattern, written)) == Counter(re.findall(pattern, source))


def test_the_place_of_each_part_of_a_translation_is_known():
    marked = parse("<p>The <b>red</b> car &lt; <code>a b</code></p>", "html")
    pair = aligned("The red car < a b", "La voiture rouge < a b", "0-0 1-2 2-1 3-3 4-4 5-5")
    written = write(marked, [[TranslatedSegment(Span(0, 17), pair)]])
    (segment,) = written.segments[0]
    parts = [written.text[slice(*segment.to_output(span))] for span in pair.target_spans if span is not None]
    assert parts == ["La", "voiture", "rouge", "&lt;", "<code>a b</code>", "<code>a b</code>"]
    assert segment.target == (3, len(written.text) - 4)


def test_a_protected_text_that_segments_cut_is_written_once():
    marked = parse("Run <code>a. B c</code> now", "html")
    segments = [
        TranslatedSegment(Span(0, 6), aligned("Run a.", "Nun a.", "")),
        TranslatedSegment(Span(7, 14), aligned("B c now", "B c jetzt", "")),
    ]
    assert write(marked, [segments]).text == "Nun <code>a. B c</code> jetzt"


def test_a_tag_goes_around_the_whole_of_a_date() -> None:
    source, target = "It ends on <time>March 15, 2024</time>.", "Es endet am 15. März 2024."
    links = "0-0 1-1 2-2 3-3 3-5 3-6 4-3 4-5 4-6 6-3 6-5 6-6 7-7"
    assert translated(source, target, links) == "Es endet am <time>15. März 2024</time>."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("am 15. März", ["am", "15.", "März"]),
        ("um 15.", ["um", "15", "."]),
        ("v. 3.5 x", ["v", ".", "3.5", "x"]),
    ],
)
def test_an_ordinal_is_a_word_with_its_full_stop(text: str, found: list[str]) -> None:
    assert [text[slice(*span)] for span in words(text)] == found
