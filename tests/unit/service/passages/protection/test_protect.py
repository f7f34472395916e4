"""Protected parts come out once, verbatim, in their place: with weights, without, and whatever the model wrote."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.arrays import Float32Array
from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.protection.options import Carry, ProtectionOptions, StandIns
from regard_service.passages.protection.patterns import compile_patterns
from regard_service.passages.protection.protect import ProtectedText, protect

GERMAN = ProtectionOptions("en", "de")


def spans_of(text: str) -> tuple[Span, ...]:
    """Returns the places of the words between spaces."""
    spans, start = [], 0
    for word in text.split(" "):
        spans.append(Span(start, start + len(word)))
        start += len(word) + 1
    return tuple(spans)


def aligned(source: str, target: str, links: Sequence[tuple[int, int]] | None = None) -> AlignedText:
    """Returns a translation whose words, split at spaces, are linked: (target, source)."""
    sources, targets = spans_of(source), spans_of(target)
    weights: Float32Array | None = None
    if links is not None:
        weights = np.full((len(targets), len(sources)), 0.01, np.float32)
        for row, column in links:
            weights[row, column] = 1.0
        weights /= weights.sum(1, keepdims=True)
    return AlignedText(source, target, sources, targets, weights)


def restored(
    text: str, target: str, links: Sequence[tuple[int, int]] | None = None, options: ProtectionOptions = GERMAN
) -> str:
    protected = protect(text, options)
    return protected.restore(aligned(protected.edited.text, target, links)).target


def diagonal(text: str) -> list[tuple[int, int]]:
    return [(i, i) for i in range(len(text.split(" ")))]


def test_the_model_reads_a_stand_in() -> None:
    protected = protect("Write to anna@example.com today.", GERMAN)
    assert protected.edited.text == "Write to Hugo today."
    assert protected.needs_alignment
    assert not protected.is_all_copied
    assert protected.edited.to_original(Span(9, 13)) == Span(9, 25)


def test_a_stand_in_gives_its_place_to_what_it_stands_for() -> None:
    assert restored("Write to anna@example.com.", "Schreiben Sie an Hugo.") == "Schreiben Sie an anna@example.com."
    assert restored("Write to anna@example.com.", "Schreiben Sie an HUGO.") == "Schreiben Sie an anna@example.com."
    assert restored("It is {name} bag.", "Das ist Hugos Tasche.") == "Das ist {name} Tasche."


def test_a_word_of_the_text_is_no_stand_in() -> None:
    protected = protect("Hugo and Alex like {name}.", GERMAN)
    assert protected.edited.text == "Hugo and Alex like Carlos."


def test_the_tokens_of_both_sides_have_their_places() -> None:
    protected = protect("Write to anna@example.com today.", GERMAN)
    result = protected.restore(aligned(protected.edited.text, "Schreib heute an Hugo .", [(0, 0), (1, 3), (3, 2)]))
    assert result.source == "Write to anna@example.com today."
    assert [result.source[slice(*span)] for span in result.source_spans if span] == [
        "Write",
        "to",
        "anna@example.com",
        "today.",
    ]
    assert [result.target[slice(*span)] for span in result.target_spans if span] == [
        "Schreib",
        "heute",
        "an",
        "anna@example.com",
        ".",
    ]


def test_a_stand_in_that_was_written_twice_stays_where_the_weights_are() -> None:
    text = "Run {tool} first."
    assert restored(text, "Hugo zuerst an Hugo", [(0, 0), (1, 2), (2, 2), (3, 1)]) == "zuerst an {tool}"


def test_what_is_missing_takes_the_place_of_the_words_made_of_it() -> None:
    text = "Open report.pdf and read"
    assert protect(text, GERMAN).edited.text == "Open Hugo and read"
    assert (
        restored(text, "Öffne Hugenotten Herz und lies", [(0, 0), (1, 1), (2, 1), (3, 2), (4, 3)])
        == "Öffne report.pdf und lies"
    )


def test_what_no_word_was_made_of_stands_between_its_neighbours() -> None:
    text = "Open report.pdf and read"
    assert restored(text, "Öffne und lies", [(0, 0), (1, 2), (2, 3)]) == "Öffne report.pdf und lies"
    assert restored(text, "Lies und öffne", [(0, 3), (1, 2), (2, 0)]) in (
        "Lies und öffne report.pdf",
        "Lies report.pdf und öffne",
    )


def test_without_weights_the_place_is_relative() -> None:
    assert (
        restored("Please open report.pdf now and read", "Bitte gleich öffnen und lesen")
        == "Bitte gleich report.pdf öffnen und lesen"
    )


def test_a_copy_that_was_written_twice_stays_once() -> None:
    options = ProtectionOptions("en", "pt", carry="itself")
    assert (
        restored("Files (*.oxt files) here", "Arquivos (*.oxt (arquivos*.oxt) aqui", options=options).count("*.oxt")
        == 1
    )


def test_order_decides_between_equals() -> None:
    options = ProtectionOptions("en", "de", stand_ins=StandIns(names=()))
    assert restored("{a} and {b}", "{b} und {a}", options=options) == "{b} und {a}"
    assert restored("{a} then {a}", "{a}", options=options).count("{a}") == 2


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("I am happy 😀 today.", "Ich bin heute glücklich.", "Ich bin heute glücklich 😀."),
        ("It rains ☔ again.", "Es regnet wieder.", "Es regnet ☔ wieder."),
    ],
)
def test_an_emoji_follows_the_word_that_it_follows(text: str, target: str, expected: str) -> None:
    protected = protect(text, GERMAN)
    assert "  " not in protected.edited.text
    source = protected.edited.text
    words = {"today.": "heute", "happy": "glücklich.", "rains": "regnet", "again.": "wieder."}
    links = [(i, i) for i in range(2)]
    for row, word in enumerate(target.split(" ")):
        links += [(row, source.split(" ").index(key)) for key, made in words.items() if made == word]
    assert restored(text, target, links) == expected


def test_emoji_at_the_ends_are_not_read() -> None:
    protected = protect("🎉 Good day! 😀😀", GERMAN)
    assert protected.edited.text == "Good day!"
    assert protected.restore(aligned("Good day!", "Guten Tag!")).target == "🎉 Guten Tag! 😀😀"


@pytest.mark.parametrize(
    "text", ["42", "😀", "", "  ", "{0}: {1}", "https://example.org", "3,5 %", "...", "12:30 – 14:00", "{a} " * 5000]
)
def test_what_holds_no_word_needs_no_model(text: str) -> None:
    protected = protect(text, GERMAN)
    assert protected.is_all_copied
    assert not protected.needs_alignment
    assert protected.restore(AlignedText(text, text, (), ())).target == text


def test_what_has_no_word_between_is_one() -> None:
    assert protect("See {a}: {b}, %s here", GERMAN).edited.text == "See Hugo here"
    assert restored("See {a}: {b} here", "Siehe hier Hugo") == "Siehe hier {a}: {b}"


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("It costs $3.50.", "Es kostet 45 Dollar.", "Es kostet 3,50\u00a0$."),
        ("There are 1,024 files.", "Es gibt 45 Dateien.", "Es gibt 1.024 Dateien."),
        ("We meet at 5:30 pm.", "Wir treffen uns um 45.", "Wir treffen uns um 17:30."),
        ("It is of 2024-05-13.", "Es ist vom 45.", "Es ist vom 2024-05-13."),
        ("In 1998 we left.", "2015 gingen wir.", "1998 gingen wir."),
    ],
)
def test_numbers_keep_their_value_in_the_form_of_the_target(text: str, target: str, expected: str) -> None:
    assert restored(text, target) == expected


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("There are 1,024 files.", "Es gibt 1.024 Dateien.", "Es gibt 1.024 Dateien."),
        ("There are 1,024 files.", "Es gibt 1024 Dateien.", "Es gibt 1024 Dateien."),
        ("There are 1,024 files.", "Es gibt 1.042224 Dateien.", "Es gibt 1.024 Dateien."),
        ("We meet at 5:30 pm.", "Wir treffen uns um 17.30 Uhr.", "Wir treffen uns um 17.30 Uhr."),
        ("2 dogs and 3 cats", "2200 Hunde und 300 Katzen", "2 Hunde und 3 Katzen"),
        ("It has 3 rooms.", "Es hat drei Zimmer.", "Es hat 3 Zimmer."),
    ],
)
def test_numbers_that_the_model_reads_are_checked(text: str, target: str, expected: str) -> None:
    options = ProtectionOptions("en", "de", replaces_numbers=False)
    assert restored(text, target, diagonal(text)[: len(target.split(" "))], options) == expected


def test_callers_patterns_and_ranges_are_protected() -> None:
    options = ProtectionOptions("en", "de", patterns=compile_patterns([r"Acme \w+"]), spans=(Span(20, 24),))
    text = "I like Acme Rocket, Moon and 😀 more."
    protected = protect(text, options)
    assert protected.edited.text == "I like Hugo and more."
    assert "Acme Rocket, Moon" in protected.restore(aligned(protected.edited.text, "Ich mag Hugo und mehr.")).target


def test_ranges_outside_of_the_text_are_clipped() -> None:
    options = ProtectionOptions("en", "de", spans=(Span(-3, 1), Span(3, 3), Span(4, 99), Span(70, 80)))
    assert [placed.item.text for placed in protect("abcd efgh ijkl", options).items] == ["a", " efgh ijkl"]


WORDS = "the cat reads a letter about old ships and nobody knows why".split()
PARTS = [
    "https://x.org/a?b=1",
    "anna@x.org",
    "{name}",
    "%s",
    "AB-123-X",
    "😀",
    ":smile:",
    "@anna",
    "#tag",
    "`a b`",
    "[Amber Hill]",
    "a_b.txt",
]


@st.composite
def sources(draw: st.DrawFn) -> tuple[str, list[str]]:
    parts = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6, unique=True))
    pieces = parts + draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=10))
    return " ".join(draw(st.permutations(pieces))), parts


@st.composite
def outputs(draw: st.DrawFn, protected: ProtectedText) -> AlignedText:
    """Draws what a bad model could write: words, stand-ins, copies, too many and too few, with weights or none."""
    known = [placed.item.stand_in or placed.item.text for placed in protected.items]
    words = st.sampled_from(["eins", "zwo", "drei", "vier", "Hugo", "45", "99", "Hugos", *PARTS, *known])
    target = " ".join(draw(st.lists(words, max_size=12)))
    source = protected.edited.text
    rows, columns = len(target.split(" ")), len(source.split(" "))
    links = st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1))
    return aligned(source, target, draw(st.none() | st.lists(links)))


@given(sources(), st.sampled_from(["stand_in", "itself", "nothing"]), st.data())
def test_the_multiset_of_protected_parts_is_kept(
    source: tuple[str, list[str]], carry: Carry, data: st.DataObject
) -> None:
    text, parts = source
    protected = protect(text, replace(GERMAN, carry=carry))
    if not protected.is_all_copied:
        result = protected.restore(data.draw(outputs(protected)))
        for part in parts:
            assert result.target.count(part) == text.count(part), (part, result.target)


@given(sources(), st.lists(st.sampled_from(["eins", "zwo", "drei", "vier", "fünf"]), max_size=12))
def test_without_weights_no_word_is_lost(source: tuple[str, list[str]], words: list[str]) -> None:
    protected = protect(source[0], GERMAN)
    if not protected.is_all_copied:
        result = protected.restore(aligned(protected.edited.text, " ".join(words)))
        rest = result.target
        for part in sorted(source[1], key=len, reverse=True):
            rest = rest.replace(part, " ")
        assert [word for word in rest.split() if word.isalpha()] == words


@given(sources(), st.data())
def test_only_words_made_of_missing_parts_are_replaced(source: tuple[str, list[str]], data: st.DataObject) -> None:
    protected = protect(source[0], GERMAN)
    if protected.is_all_copied:
        return
    words = data.draw(st.lists(st.sampled_from(["eins", "zwo", "drei", "vier"]), min_size=1, max_size=8))
    plain = [i for i, word in enumerate(protected.edited.text.split(" ")) if word in WORDS]
    if not plain:
        return
    links = [(row, data.draw(st.sampled_from(plain))) for row in range(len(words))]
    result = protected.restore(aligned(protected.edited.text, " ".join(words), links))
    rest = result.target
    for part in sorted(source[1], key=len, reverse=True):
        rest = rest.replace(part, " ")
    assert [word for word in rest.split() if word.isalpha()] == words


@given(st.text(), st.text(), st.booleans())
def test_no_text_is_too_odd(text: str, target: str, is_measured: bool) -> None:
    options = ProtectionOptions("en", "fr", patterns=compile_patterns([r"[aeiou]+\d?"]), spans=(Span(1, 3),))
    protected = protect(text, options)
    source = protected.edited.text
    links = [(0, 0)] if is_measured else None
    result = protected.restore(aligned(source, target, links))
    assert result.source == text
    for span in result.source_spans:
        assert span is None or 0 <= span.start <= span.end <= len(result.source)
    for span in result.target_spans:
        assert span is None or 0 <= span.start <= span.end <= len(result.target)


@given(
    st.text(st.sampled_from("ab {}%s1@x.😀`:-[]\\n,²_^"), max_size=40),
    st.text(st.sampled_from("ab {}%s1@x.😀`:-[]\\n,²_^Hugo45"), max_size=40),
)
def test_every_part_is_in_the_target(text: str, target: str) -> None:
    protected = protect(text, ProtectionOptions("en", "en"))
    if protected.is_all_copied:
        return
    result = protected.restore(aligned(protected.edited.text, target)).target
    for placed in protected.items:
        if not any(c.isdigit() for c in placed.item.text):
            assert placed.item.text in result


def test_protected_white_space_between_two_words_is_not_overwritten() -> None:
    """The places of two words that an item had become enclosed a space that was an item, too."""
    text = "ab cd. " * 5 + "ab c"
    spans = tuple(Span(i, i + 1) for i in range(0, len(text), 2))
    protected = protect(text, replace(GERMAN, spans=spans))
    source = protected.edited.text
    tokens = tuple(Span(len(source) * i // 250, len(source) * (i + 1) // 250) for i in range(250))
    written = protected.restore(AlignedText(source, source, tokens, tokens, np.eye(250, dtype=np.float32))).target
    for character in set(text):
        assert written.count(character) >= sum(text[span.start] == character for span in spans)


def test_a_mark_does_not_take_a_space_that_is_protected() -> None:
    options = replace(GERMAN, spans=(Span(2, 3), Span(5, 6)))
    assert protect("ok :) ok", options).edited.original == "ok :) ok"
    written = restored("ok :) ok", "ok Hugo ok", options=options)
    assert written.count(":)") == 1


def piecewise(source: str, target: str, links: Sequence[tuple[int, int]]) -> AlignedText:
    """Returns a translation whose words and marks are tokens, linked: (target, source)."""
    sources, targets = (tuple(Span(*m.span()) for m in re.finditer(r"\w+|[^\w\s]", text)) for text in (source, target))
    weights = np.full((len(targets), len(sources)), 0.01, np.float32)
    for row, column in links:
        weights[row, column] = 1.0
    return AlignedText(source, target, sources, targets, weights / weights.sum(1, keepdims=True))


def lacking(characters: str) -> ProtectionOptions:
    """Returns options for a vocabulary that lacks some characters."""
    return replace(GERMAN, lacks=lambda text: any(c in characters for c in text))


def test_words_that_the_vocabulary_lacks_are_copied() -> None:
    options = lacking("你好Łź")
    protected = protect("I saw 你好 in Łódź.", options)
    assert protected.edited.text == "I saw Hugo in Alex."
    target = "Ich sah Hugo in Alex."
    assert protected.restore(aligned(protected.edited.text, target)).target == "Ich sah 你好 in Łódź."


@pytest.mark.parametrize("word", ["नमस्ते", "สวัสดี", "क्‍ष", "می‌خواهم"])
def test_words_with_marks_that_combine_stay_whole(word: str) -> None:
    options = replace(GERMAN, lacks=lambda text: any(ord(c) > 0x370 for c in text))
    protected = protect(f"{word} means hello.", options)
    assert protected.edited.text == "Hugo means hello."
    assert [each.item.text for each in protected.items] == [word]


def test_breaks_of_strings_are_not_read_and_stay() -> None:
    protected = protect("It is,\\tfast\\n", GERMAN)
    assert protected.edited.text == "It is, fast"
    assert restored("It is,\\tfast\\n", "Es ist, schnell", diagonal("It is, fast")) == "Es ist,\\tschnell\\n"


def test_two_breaks_of_strings_do_not_take_the_same_space() -> None:
    source = "One,\\tTwo,\\tthree here."
    for links in ([(0, 0), (1, 2)], [(0, 2), (1, 2)], [(0, 0), (1, 0)]):
        assert restored(source, "Eins zwei", links).count("\\t") == 2


def test_a_text_that_the_vocabulary_lacks_is_copied() -> None:
    assert protect("你好 你", lacking("你好")).is_all_copied


def test_symbols_that_the_vocabulary_lacks_stay_at_their_words() -> None:
    text, options = "Hello **world**, it is [nice] now.", lacking("*[]")
    protected = protect(text, options)
    assert protected.edited.text == "Hello world, it is Hugo now."
    target = "Hallo Welt, es ist jetzt Hugo."
    links = [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (6, 5), (7, 7)]
    result = protected.restore(piecewise(protected.edited.text, target, links)).target
    assert result == "Hallo **Welt**, es ist jetzt [nice]."


def test_the_address_of_a_link_in_markdown_stays_behind_its_bracket() -> None:
    protected = protect("See [this page](https://example.org/a_(b)) now.", GERMAN)
    assert protected.edited.text == "See [this page] now."
    links = [(i, i) for i in range(7)]
    result = protected.restore(piecewise(protected.edited.text, "Siehe [diese Seite] jetzt.", links)).target
    assert result == "Siehe [diese Seite](https://example.org/a_(b)) jetzt."


@pytest.mark.parametrize(
    ("text", "read", "written", "expected"),
    [
        ("The <b>red</b> car", "The red car", "Das rote Auto", "Das <b>rote</b> Auto"),
        ("The **red** car", "The red car", "Das rote Auto", "Das **rote** Auto"),
        ("The <b>{n}</b> cars", "The 45 cars", "Die 45 Autos", "Die <b>{n}</b> Autos"),
        ("The <i><b>red</b></i> car", "The red car", "Das rote Auto", "Das <i><b>rote</b></i> Auto"),
        ("The red<br>car here", "The red car here", "Das rote Auto hier", "Das rote<br> Auto hier"),
        ("The r<i>e</i>d car", "The red car", "Das rote Auto", "Das <i>rote</i> Auto"),
    ],
)
def test_tags_and_emphasis_in_plain_text_go_around_the_same_words(
    text: str, read: str, written: str, expected: str
) -> None:
    protected = protect(text, lacking("*"))
    assert protected.edited.text == read
    links = [(i, i) for i in range(len(written.split()))]
    assert protected.restore(piecewise(read, written, links)).target == expected


@given(
    st.lists(
        st.sampled_from(["<b>", "</b>", "<i>", "</i>", "**", "red", " ", "{n}", "😀", "<br>", "(5)", "."]), max_size=12
    )
)
def test_marks_come_out_once_wherever_they_stand(pieces: list[str]) -> None:
    text = "".join(pieces)
    protected = protect(text, lacking("*"))
    written = protected.edited.text.upper()
    target = written if not protected.is_all_copied else text
    result = protected.restore(AlignedText(protected.edited.text, target, (), ())).target
    for mark in ("<b>", "</b>", "<i>", "</i>", "{n}", "😀", "<br>"):
        assert result.count(mark) == text.count(mark)


def test_a_vocabulary_that_has_all_characters_changes_nothing() -> None:
    assert not protect("I saw 你好.", GERMAN).items


def test_tags_in_plain_text_leave_out_marks_that_the_source_has_not_between_them() -> None:
    protected = protect("Hello <b>world</b> there", GERMAN)
    output = piecewise(protected.edited.text, "Hallo, Welt dort", [(0, 0), (1, 1), (2, 1), (3, 2)])
    assert protected.restore(output).target == "Hallo, <b>Welt</b> dort"


def test_brackets_go_with_what_fills_them() -> None:
    protected = protect("He paid 5 EUR (6 USD). Then [1].", GERMAN)
    assert "(" not in protected.edited.text
    assert "  " not in protected.edited.text
    assert " ." not in protected.edited.text
    result = protected.restore(
        piecewise(protected.edited.text, "Er zahlte 45. Dann.", [(i, i) for i in range(6)])
    ).target
    assert result == "Er zahlte 5 EUR (6 USD). Dann [1]."


@pytest.mark.parametrize(
    ("text", "read", "written", "expected"),
    [
        ("Tom & Mary came.", "Tom and Mary came.", "Tom und Maria kamen.", "Tom & Maria kamen."),
        ("Tom &amp; Mary came.", "Tom and Mary came.", "Tom und Maria kamen.", "Tom &amp; Maria kamen."),
        ("Tom & Mary came.", "Tom and Mary came.", "Tom plus Maria kamen.", "Tom & Maria kamen."),
        ("He took the 3rd place.", "He took the 45th place.", "Er nahm den 45. Platz.", "Er nahm den 3. Platz."),
        (
            "It was in the 1990s.",
            "It was in the 1990s.",
            "Es war in den 1950ern.",
            "Es war in den 1990ern.",
        ),
    ],
)
def test_ampersands_ordinals_and_decades(text: str, read: str, written: str, expected: str) -> None:
    protected = protect(text, GERMAN)
    assert protected.edited.text == read
    links = [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]
    assert (
        protected.restore(piecewise(read, written, links[: len(re.findall(r"\w+|[^\w\s]", written))])).target
        == expected
    )


@pytest.mark.parametrize(
    "text",
    [
        "if (a < b && c > d) { return x; }",
        "int x = 5;",
        "f(x) => {.",
        "SELECT * FROM users WHERE id = 5;",
        "$ make install && ls",
    ],
)
def test_lines_of_code_are_copied(text: str) -> None:
    assert protect(text, GERMAN).is_all_copied


@pytest.mark.parametrize(
    "text",
    [
        "We like apples (red);",
        "Open the file(s):",
        "See the table below:",
        "{{ name }} has {% if x %}two dogs{% endif %} and ${y}.",
        "You have {count, plural, one {# dog} other {# dogs}}.",
    ],
)
def test_running_text_is_no_code(text: str) -> None:
    assert not protect(text, GERMAN).is_all_copied


def test_languages_without_spaces_get_none_around_what_is_inserted() -> None:
    options = ProtectionOptions("en", "ja")
    assert restored("I am 😀 happy.", "私は幸せです。", None, options).count(" ") == 0


def test_spaces_that_the_model_doubles_are_one() -> None:
    assert restored("It is {name} here.", "Es  ist   Hugo hier.") == "Es ist {name} hier."
