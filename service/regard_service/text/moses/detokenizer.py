"""Moses' detokenizer (moses-smt/mosesdecoder, scripts/tokenizer/detokenizer.perl), as sacremoses 0.2 has it, word by
word.

Where sacremoses looks at the words to come, the state remembers what the next word decides. Its two rules for Czech
numbers and dashes are left out: it applies the first to the last words of the text and fails on the second.
"""

import re
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from regard_service.text.moses.tables import MosesTables

_ENTITIES = {
    "&bar;": "|",
    "&#124;": "|",
    "&lt;": "<",
    "&gt;": ">",
    "&bra;": "[",
    "&ket;": "]",
    "&quot;": '"',
    "&apos;": "'",
    "&#91;": "[",
    "&#93;": "]",
    "&amp;": "&",
}
_ENTITY = re.compile("|".join(_ENTITIES))
_BEGUN_ENTITY = re.compile("&[#a-z0-9]{0,4}$")
_MARKS = re.compile(r"[,.?!:;\\%}\])]+")
_FRENCH_MARK = re.compile(r"[?!:;\\%]")
_QUOTES = re.compile("['\"„“`]+")
_DOUBLE_QUOTES = re.compile("[„“]+")
_ELIDING = ("fr", "it", "ga")
_CJK_RANGES = (
    (0x1100, 0x11FF),  # Hangul Jamo
    (0x2E80, 0xA4CF),  # radicals, kana, ideographs, Yi
    (0xA840, 0xA87F),  # Phags-pa
    (0xAC00, 0xD7AF),  # Hangul
    (0xF900, 0xFAFF),  # ideographs for compatibility
    (0xFE30, 0xFE4F),
    (0xFF65, 0xFFDC),  # half-width forms
    (0x17000, 0x18AFF),  # Tangut
    (0x1B000, 0x1B0FF),  # kana
    (0x1B170, 0x1B2FF),  # Nushu
    (0x20000, 0x2FFFF),  # further ideographs
)


def unescaped(word: str) -> str:
    """Returns a word without escapes."""
    return _ENTITY.sub(lambda match: _ENTITIES[match[0]], word) if "&" in word else word


def decided(word: str) -> str:
    """Returns the text of a word's first pieces, without an escape that further ones may complete."""
    return unescaped(_BEGUN_ENTITY.sub("", word)) if "&" in word else word


class _Kind(Enum):
    """What a word is for the spaces around it."""

    WORD = auto()
    CJK = auto()
    OPENING = auto()
    MARK = auto()
    CONTRACTION = auto()
    QUOTE = auto()


@dataclass(frozen=True)
class Spacing:
    """What the words so far leave to the next one.

    Attributes:
        previous: the last word; "" before the first.
        is_open: whether the next word follows without a space.
        is_elided: the same if it begins with a letter.
        quotes: quotation marks that are open.
    """

    previous: str = ""
    is_open: bool = False
    is_elided: bool = False
    quotes: frozenset[str] = field(default_factory=frozenset)


class MosesDetokenizer:
    """Decides on the spaces between a language's words."""

    def __init__(self, tables: MosesTables) -> None:
        self._language, self._alphabetic = tables.language, tables.alphabetic
        self._opening = re.compile(rf"[{tables['currency']}(\[{{¿¡]+")

    def is_settled(self, begun: str) -> bool:
        """Whether the first characters of a word decide on the space before it."""
        return begun[:1].isalnum()

    def space(self, word: str, spacing: Spacing) -> str:
        """Returns the space before a word, "" before the first."""
        if not spacing.previous:
            return ""
        usual = "" if spacing.is_open or (spacing.is_elided and self._alphabetic.match(word)) else " "
        match self._kind(word, spacing):
            case _Kind.MARK:
                return " " if self._language == "fr" and _FRENCH_MARK.fullmatch(word) else ""
            case _Kind.CONTRACTION:
                return ""
            case _Kind.CJK if _is_cjk(spacing.previous[-1]):
                return ""
            case _Kind.QUOTE if self._closes(word, spacing) or self._is_possessive(word, spacing):
                return ""
        return usual

    def after(self, word: str, spacing: Spacing) -> Spacing:
        """Returns the spacing behind a word."""
        kind, quotes = self._kind(word, spacing), spacing.quotes
        is_open = kind is _Kind.OPENING
        if kind is _Kind.QUOTE:
            mark, closes = _mark(word), self._closes(word, spacing)
            quotes = self._quotes(word, spacing)
            is_open = not closes and not self._is_possessive(word, spacing)
            quotes = quotes - {mark} if closes else quotes | ({mark} if is_open else set())
        is_elided = (
            kind is _Kind.WORD
            and self._language in _ELIDING
            and word.endswith("'")
            and self._alphabetic.match(word[-2:-1]) is not None
        )
        return replace(spacing, previous=word, is_open=is_open, is_elided=is_elided, quotes=quotes)

    def _kind(self, word: str, spacing: Spacing) -> _Kind:
        if _is_cjk(word[0]) and self._language != "ko":
            return _Kind.CJK
        if self._opening.fullmatch(word):
            return _Kind.OPENING
        if _MARKS.fullmatch(word):
            return _Kind.MARK
        is_contracted = word[0] == "'" and self._alphabetic.match(word[1:2]) is not None
        if self._language == "en" and spacing.previous and is_contracted:
            return _Kind.CONTRACTION
        return _Kind.QUOTE if _QUOTES.fullmatch(word) else _Kind.WORD

    def _quotes(self, word: str, spacing: Spacing) -> frozenset[str]:
        """The open quotation marks: in Czech, a mark says by its form whether it opens."""
        if self._language != "cs" or word not in ("„", "“"):
            return spacing.quotes
        return spacing.quotes - {'"'} if word == "„" else spacing.quotes | {'"'}

    def _closes(self, word: str, spacing: Spacing) -> bool:
        return _mark(word) in self._quotes(word, spacing)

    def _is_possessive(self, word: str, spacing: Spacing) -> bool:
        return self._language == "en" and word == "'" and spacing.previous.endswith("s")


def _mark(word: str) -> str:
    return '"' if _DOUBLE_QUOTES.fullmatch(word) else word


def _is_cjk(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _CJK_RANGES)
