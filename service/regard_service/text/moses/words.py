"""Moses' tokenizer (moses-smt/mosesdecoder, scripts/tokenizer/tokenizer.perl), as sacremoses 0.2 has it."""

import re
from collections.abc import Iterator, Sequence

from regard_service.text.moses.tables import MosesTables
from regard_service.text.moses.traced import Rule, TracedText, rule

ESCAPES = {
    "&": "&amp;",
    "|": "&#124;",
    "<": "&lt;",
    ">": "&gt;",
    "'": "&apos;",
    '"': "&quot;",
    "[": "&#91;",
    "]": "&#93;",
}
_ROMANCE = ("fr", "it")  # whose apostrophes stay with the word before them
_DOTS = re.compile(r"\.{2,}")
_DIGIT = re.compile(r"[0-9]")


class MosesWords:
    """Cuts texts of a language into Moses' tokens."""

    def __init__(self, tables: MosesTables) -> None:
        self._tables = tables
        self._rules = _rules(tables)

    def cut(self, text: TracedText) -> list[TracedText]:
        """Returns the tokens of a text whose punctuation is normal. Marks of XML are escaped in them."""
        for each in self._rules:
            text = text.replaced(each)
        words = list(self._without_full_stops(text.words()))
        if words and words[-1].text.endswith(".'"):
            last = words.pop()
            words += [part for part in (last[:-2], last[-2:-1], last[-1:]) if part.text]
        return [_escaped(word) for word in words]

    def _without_full_stops(self, words: Sequence[TracedText]) -> Iterator[TracedText]:
        """Cuts the full stops off that end a sentence."""
        for index, word in enumerate(words, 1):
            following = words[index].text if index < len(words) else ""
            if len(word.text) > 1 and word.text.endswith(".") and self._is_full_stop(word.text, following):
                yield word[:-1]
                yield word[-1:]
            else:
                yield word

    def _is_full_stop(self, word: str, following: str) -> bool:
        tables, before = self._tables, word[:-1]
        if _DOTS.fullmatch(word) or ("." in before and tables.alphabetic.search(before)):
            return False
        if before in tables.before_numbers:
            is_abbreviation = _DIGIT.match(following) is not None
        else:
            is_abbreviation = before in tables.abbreviations
        return not is_abbreviation and tables.lower.match(following) is None


def _rules(tables: MosesTables) -> tuple[Rule, ...]:
    """The replacements that set spaces between tokens."""
    alphanumeric, numeric = tables["alphanumeric"], tables["numeric"]
    return (
        rule(r"\s+", " "),
        rule(r"[\x00-\x1f]"),
        rule(rf"([^{alphanumeric}\s.'`,\-])", " ", 1, " "),
        rule(r"(\.{2,})", " ", 1, " "),
        rule(rf"([^{numeric}])(,)", 1, " ", 2, " "),
        rule(rf"(,)([^{numeric}])", " ", 1, " ", 2),
        rule(rf"([{numeric}])(,)$", 1, " ", 2, " "),
        *_apostrophes(tables),
    )


def _apostrophes(tables: MosesTables) -> tuple[Rule, ...]:
    letter, number = tables["alphabetic"], tables["numeric"]
    if tables.language == "en":
        return (
            rule(rf"([^{letter}])(')([^{letter}])", 1, " ", 2, " ", 3),
            rule(rf"([^{letter}{number}])(')([{letter}])", 1, " ", 2, " ", 3),
            rule(rf"([{letter}])(')([^{letter}])", 1, " ", 2, " ", 3),
            rule(rf"([{letter}])(')([{letter}])", 1, " ", 2, 3),
            rule(rf"([{number}])(')(s)", 1, " ", 2, 3),
        )
    if tables.language in _ROMANCE:
        return (
            rule(rf"([^{letter}])(')([^{letter}])", 1, " ", 2, " ", 3),
            rule(rf"([^{letter}])(')([{letter}])", 1, " ", 2, " ", 3),
            rule(rf"([{letter}])(')([^{letter}])", 1, " ", 2, " ", 3),
            rule(rf"([{letter}])(')([{letter}])", 1, 2, " ", 3),
        )
    return (rule(r"(')", " ", 1, " "),)


def _escaped(word: TracedText) -> TracedText:
    if not any(mark in word.text for mark in ESCAPES):
        return word
    written = [ESCAPES.get(character, character) for character in word.text]
    places = [index for index, each in enumerate(written) for _ in each]
    return TracedText("".join(written), [word.starts[i] for i in places], [word.ends[i] for i in places])
