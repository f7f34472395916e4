"""Segments in the form that models were trained on, and translations in the form of their segments."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.normalization.normalize import normalize


def restored(text: str, target: str, language: str = "de", spans: Sequence[Span] = ()) -> str:
    normalized = normalize(text, "en")
    aligned = AlignedText(normalized.edited.text, target, (), tuple(spans))
    return normalized.restore(aligned, language).target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeffGood evening!", "Good evening!"),
        ("\u200eHello.\u200f", "Hello."),
        ("Good\u00ad mor\u00adning, zero\u200bwidth.", "Good morning, zerowidth."),
        ("Ｈｅｌｌｏ, ｗｏｒｌｄ １２！", "Hello, world 12!"),
        ("𝐇𝐞𝐥𝐥𝐨 ﬁnd it.", "Hello find it."),
        ("Cafe\u0301 is open.", "Café is open."),
        ("An\u00a0odd\u2003 kind \t of\u3000space.", "An odd kind of space."),
        ("• Open it.", "Open it."),
        ("- Open it.", "Open it."),
        ("3) Open it.", "Open it."),
        ("– Yes, I do.", "Yes, I do."),
    ],
)
def test_the_model_reads_plain_characters(text: str, expected: str) -> None:
    assert normalize(text, "en").edited.text == expected


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦 is my family.",
        "❤️ it.",
        "می‌خواهم.",
        "क्‍ष है।",
        "Well-known – yes.",
        "你好，世界。",
        "1\u202f024 files.",
        "-5 degrees.",
    ],
)
def test_marks_with_a_meaning_stay(text: str) -> None:
    assert normalize(text, "").edited.text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HELLO.", "Hello."),
        ("THE SHOP IS CLOSED TODAY.", "The shop is closed today."),
        ("I AM SURE I'M RIGHT.", "I am sure I'm right."),
        ("SEE YOU ON MONDAY IN PARIS!", "See you on Monday in Paris!"),
        ("THE NATO SUMMIT IN THE U.S.A. IS ON TV.", "The NATO summit in the U.S.A. is on TV."),
        ("WHO IS IT? IS IT US?", "Who is it? is it us?"),
        ("SEE https://X.org/A AND ASK @Bob OR {NAME}.", "See https://X.org/A and ask @Bob or {NAME}."),
        ("USE AB-123-X NOW.", "Use AB-123-X now."),
    ],
)
def test_a_text_in_capitals_gets_the_case_of_a_sentence(text: str, expected: str) -> None:
    assert normalize(text, "en").edited.text == expected


@pytest.mark.parametrize(
    "text", ["NATO.", "The NATO summit.", "I.", "A.", "OK.", "USA, NATO.", "HTML.", "Hello WORLD.", "XML."]
)
def test_single_capital_words_stay(text: str) -> None:
    assert normalize(text, "en").edited.text == text


def test_emphasis_moves_to_the_words_made_of_it() -> None:
    text = "PLEASE READ THIS: the NATO shop is closed."
    normalized = normalize(text, "en")
    assert normalized.edited.text == "Please read this: the NATO shop is closed."
    assert normalized.needs_alignment
    source, target = normalized.edited.text, "Der Laden ist zu: bitte lies."
    sources = tuple(Span(*m.span()) for m in re.finditer(r"\S+", source))
    targets = tuple(Span(*m.span()) for m in re.finditer(r"\S+", target))
    weights = np.full((len(targets), len(sources)), 0.01, np.float32)
    for row, column in ((0, 3), (1, 5), (2, 6), (3, 7), (4, 0), (5, 1)):
        weights[row, column] = 1
    result = normalized.restore(AlignedText(source, target, sources, targets, weights), "de")
    assert result.target == "Der Laden ist zu: BITTE LIES."
    assert normalized.restore(AlignedText(source, target, sources, targets), "de").target == target


def test_one_word_is_emphasis_if_the_vocabulary_holds_it_in_small_letters_only() -> None:
    def rank(word: str) -> tuple[int, ...]:
        return (1, 5) if word == "never" else (4, 5)

    assert normalize("You must NEVER trust NATO.", "en", rank=rank).edited.text == "You must never trust NATO."
    assert normalize("You must NEVER trust NATO.", "en").edited.text == "You must NEVER trust NATO."


def test_the_translation_of_capitals_is_in_capitals() -> None:
    assert (
        restored("THE SHOP IS CLOSED TODAY.", "Das Geschäft ist heute geschlossen.")
        == "DAS GESCHÄFT IST HEUTE GESCHLOSSEN."
    )
    assert restored("THE STREET.", "Die Straße.") == "DIE STRASSE."
    assert restored("THE CITY.", "İstanbul iyi.", "tr") == "İSTANBUL İYİ."
    assert restored("THE NIGHT.", "Η νύχτα.", "el") == "Η ΝΥΧΤΑ."
    assert (
        restored("SEE https://x.org/a OR {name}.", "Siehe https://x.org/a oder {name}.")
        == "SIEHE https://x.org/a ODER {name}."
    )


def test_turkish_capitals_have_their_own_small_letters() -> None:
    assert normalize("IŞIK İYİ.", "tr").edited.text == "Işık iyi."


def test_a_callers_range_keeps_its_case() -> None:
    text = "ASK ACME ROCKETS TODAY."
    normalized = normalize(text, "en", kept=[Span(4, 16)])
    assert normalized.edited.text == "Ask ACME ROCKETS today."
    assert normalized.restore(AlignedText("", "Frag Acme ACME ROCKETS.", (), ())).target == "FRAG ACME ACME ROCKETS."


def test_positions_grow_with_the_capitals() -> None:
    normalized = normalize("THE STREET IS WIDE", "en")
    assert normalized.edited.text == "The street is wide."
    spans = (Span(0, 3), Span(4, 7), Span(7, 10), Span(11, 14), None, Span(18, 19))
    aligned = AlignedText(
        normalized.edited.text, "Die Straße ist breit.", spans, (Span(0, 3), Span(4, 8), Span(8, 10), Span(20, 21))
    )
    result = normalized.restore(aligned, "de")
    assert (result.source, result.target) == ("THE STREET IS WIDE", "DIE STRASSE IST BREIT")
    assert [result.target[slice(*span)] for span in result.target_spans if span] == ["DIE", "STRA", "SSE", ""]
    assert [result.source[slice(*span)] for span in result.source_spans if span] == ["THE", "STR", "EET", "IS ", ""]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Hello", "en", "Hello."),
        ("The end of the world", "en", "The end of the world."),
        ("Page (two)", "en", "Page (two)."),
        ("See {name}", "en", "See {name}."),
        ("Great day 😀", "en", "Great day. 😀"),
        ("你好", "zh", "你好。"),
        ("नमस्ते", "hi", "नमस्ते।"),
    ],
)
def test_a_heading_gets_a_full_stop(text: str, language: str, expected: str) -> None:
    assert normalize(text, language).edited.text == expected


@pytest.mark.parametrize(
    "text", ["Hello.", "Hello!", "Is it?", "Wait...", "one,", 'He said "no."', "สวัสดี", "42", "😀", "{0}: {1}"]
)
def test_what_has_an_end_or_no_words_gets_none(text: str) -> None:
    language = "th" if text == "สวัสดี" else "en"
    assert normalize(text, language).edited.text == text


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("Hallo.", "Hallo"),
        ("Hallo", "Hallo"),
        ("Hallo!", "Hallo!"),
        ("Hallo…", "Hallo…"),
        ("Hallo...", "Hallo..."),
        ("你好。", "你好"),
        ("Sagt „Hallo.“", "Sagt „Hallo“"),
        ("Ein Tag. 😀", "Ein Tag 😀"),
        ("", ""),
    ],
)
def test_the_full_stop_goes_in_the_form_of_the_target(target: str, expected: str) -> None:
    assert restored("Hello", target) == expected


def test_a_bullet_returns_as_it_was() -> None:
    assert restored("•\u00a0 Open it.", "Öffne es.") == "•\u00a0 Öffne es."
    assert restored("- The shop is closed", "Das Geschäft ist geschlossen.") == "- Das Geschäft ist geschlossen"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How To Open The Door", "How to open the door."),
        ("The Art of War", "The art of war."),
        ("Amber Hill Road", "Amber Hill Road."),
        ("New York City", "New York City."),
    ],
)
def test_a_title_gets_the_case_of_a_sentence(text: str, expected: str) -> None:
    assert normalize(text, "en").edited.text == expected


def test_the_vocabulary_decides_about_names() -> None:
    ranks = {"Tom": (1, 30), "tom": (1, 700), "Shop": (2, 9), "shop": (1, 50), "The": (1, 20), "the": (1, 2)}
    assert (
        normalize("ASK TOM IN THE SHOP.", "en", rank=lambda w: ranks.get(w, (3, 0))).edited.text
        == "Ask Tom in the shop."
    )


@pytest.mark.parametrize(
    ("text", "read", "target", "language", "expected"),
    [
        ("“Hi,” she said.", '"Hi," she said.', '"Hallo", sagte sie.', "de", "„Hallo“, sagte sie."),
        ("“Hi,” she said.", '"Hi," she said.', '"Salut", dit-elle.', "fr", "«\u00a0Salut\u00a0», dit-elle."),
        ("“Hi,” she said.", '"Hi," she said.', '"Olá", disse ela.', "pt", "“Olá”, disse ela."),
        ("“Hi,” she said.", '"Hi," she said.', "Sie sagte „hallo“.", "de", "Sie sagte „hallo“."),
        ("“Hi,” she said.", '"Hi," she said.', 'Sie sagte "hallo.', "de", 'Sie sagte "hallo.'),
        ("It’s late…", "It's late...", "C'est l'heure...", "fr", "C’est l’heure…"),
        ('"Hi," she said.', '"Hi," she said.', '"Hallo", sagte sie.', "de", '"Hallo", sagte sie.'),
    ],
)
def test_typographic_marks_are_plain_for_the_model(
    text: str, read: str, target: str, language: str, expected: str
) -> None:
    assert normalize(text, "en").edited.text == read
    assert restored(text, target, language) == expected


TEXTS = st.text() | st.text(st.sampled_from("aB ßİıΣ.’“\u00ad\u200d\ufeff１Ａ-•1)😀{}\u0301 NATO\n\t"), max_size=40)


@given(TEXTS, st.sampled_from(["en", "de", "tr", "zh", ""]))
def test_a_normal_form_is_its_own_normal_form(text: str, language: str) -> None:
    once = normalize(text, language)
    twice = normalize(once.edited.text, language)
    assert twice.edited.text == once.edited.text


@given(TEXTS, TEXTS, st.sampled_from(["en", "de", "tr", "el"]))
def test_no_text_is_too_odd(text: str, target: str, language: str) -> None:
    normalized = normalize(text, "en")
    source = normalized.edited.text
    spans = tuple(Span(i, i + 1) for i in range(len(source)))
    targets = tuple(Span(i, i + 1) for i in range(len(target)))
    result = normalized.restore(AlignedText(source, target, spans, targets), language)
    assert result.source == text
    for whole, places in ((result.source, result.source_spans), (result.target, result.target_spans)):
        end = 0
        for span in places:
            assert span is not None
            assert 0 <= span.start <= span.end <= len(whole)
            assert span.end >= end
            end = span.end


@pytest.mark.parametrize(
    ("text", "language", "read", "written", "expected"),
    [
        ("Name:", "de", "Name.", "Name.", "Name:"),
        ("Name:", "fr", "Name.", "Nom.", "Nom\u00a0:"),
        ("Name:", "fr", "Name.", "Nom !", "Nom\u00a0:"),
        ("Name:", "es", "Name.", "¡Nombre!", "Nombre:"),
        ("Name:", "de", "Name.", "Name", "Name:"),
        ("Stop!!!", "de", "Stop!", "Halt!", "Halt!!!"),
        ("Stop!!!", "fr", "Stop!", "Arrête !", "Arrête !!!"),
        ("Really?!", "de", "Really?", "Wirklich?", "Wirklich?!"),
        ("What???", "es", "What?", "¿Qué?", "¿Qué???"),
        ("STOP!!!", "de", "Stop!", "Halt.", "HALT!!!"),
    ],
)
def test_marks_at_the_end_are_read_as_one_and_return(
    text: str, language: str, read: str, written: str, expected: str
) -> None:
    normalized = normalize(text, "en")
    assert normalized.edited.text == read
    assert normalized.restore(AlignedText(read, written, (), ()), language).target == expected


def test_the_colon_of_a_label_is_read_as_the_stop_of_its_language() -> None:
    assert normalize("名前:", "ja").edited.text == "名前。"


@pytest.mark.parametrize("text", ["I love it :tada:", "Write to a:b:", "Run `x:`"])
def test_marks_of_what_is_copied_are_no_end(text: str) -> None:
    assert text.split()[-1] in normalize(text, "en", kept=[Span(9, len(text))]).edited.text


@pytest.mark.parametrize(
    ("text", "language", "written", "expected"),
    [
        ("milk and bread", "fr", "Lait et pain.", "lait et pain"),
        ("two eggs", "es", "¡Dos huevos!", "¡dos huevos!"),
        ("milk", "de", "Milch.", "Milch"),
        ("Milk", "fr", "Lait.", "Lait"),
        ("milk.", "fr", "Lait.", "Lait."),
        ("the office of the UN", "fr", "ONU et bureau.", "ONU et bureau"),
        ("I like it", "fr", "Je l'aime.", "Je l'aime"),
    ],
)
def test_an_entry_begins_with_a_small_letter(text: str, language: str, written: str, expected: str) -> None:
    normalized = normalize(text, "en")
    aligned = AlignedText(normalized.edited.text, written, (), ())
    assert normalized.restore(aligned, language).target == expected
