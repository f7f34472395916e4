"""Writes phrases as the tokens of a target: terms, and the beginning of an output."""

from collections.abc import Callable
from functools import cached_property

from regard_service.generation import Spelling
from regard_service.text.writing import INCOMPLETE_CHARACTER, TargetWriter

_OPENING = "([{<«‹¿¡„‚/'’"
_QUOTES = "\"“'‘»›"  # open after a space, close without
_CLOSING = frozenset({".", "!", "?", "…", "。", "！", "？", "؟", "।"})
_BEFORE = "("  # a mark after which a phrase begins without a space
_LETTER = "a"


class UnwritablePhrase(Exception):
    """A phrase that the tokenizer does not give back. Attributes: written: what it gives back instead."""

    def __init__(self, phrase: str, written: str) -> None:
        super().__init__(f"cannot be written by this model: {phrase!r} becomes {written!r}")
        self.written = written


class PhraseWriter:
    """Writes phrases as a model's target tokens.

    Args:
        writer: turns tokens into text; the tokenizers of some models do that only.
        encode: turns texts into target tokens.
    """

    def __init__(self, writer: TargetWriter, encode: Callable[[str], tuple[int, ...]]) -> None:
        self._writer = writer
        self._encode = encode
        self._made: dict[tuple[str, bool], tuple[int, ...]] = {}

    def tokens(self, phrase: str, *, is_glued: bool = False) -> tuple[int, ...]:
        """Returns the tokens of a phrase.

        Args:
            is_glued: whether no space comes before it. Where the tokenizer cannot, it is written with a space.

        Raises:
            UnwritablePhrase: their text is another one.
        """
        key = phrase, is_glued
        if key not in self._made:
            if len(self._made) >= _MAX_CACHED:
                self._made.clear()
            self._made[key] = self._glued(phrase) if is_glued else self._checked(phrase)
        return self._made[key]

    def token(self, piece: str) -> int | None:
        """Returns the id of a vocabulary's entry; None for special tokens, and where there is none."""
        return self._writer.find(piece)

    @cached_property
    def spelling(self) -> Spelling:
        """What each token is in a text. Computed once: it takes some hundredths of a second."""
        additions = self._writer.additions(self._encode(_LETTER))
        return Spelling(
            continues=bytes(_continues(added) for added in additions),
            opens=bytes(_opens(added) for added in additions),
            closes=bytes(added.strip() in _CLOSING for added in additions),
            unfinished=self._writer.unfinished,
        )

    def _checked(self, phrase: str) -> tuple[int, ...]:
        tokens = self._encode(phrase)
        written = self._writer.text_of(tokens)
        if not tokens or written.strip() != phrase.strip():
            raise UnwritablePhrase(phrase, written)
        return tokens

    def _glued(self, phrase: str) -> tuple[int, ...]:
        whole, before = self._encode(_BEFORE + phrase), self._encode(_BEFORE)
        is_apart = whole[: len(before)] == before and self._writer.text_of(whole).strip() == _BEFORE + phrase.strip()
        return whole[len(before) :] if is_apart and len(whole) > len(before) else self._checked(phrase)


_MAX_CACHED = 10_000


def _continues(added: str) -> bool:
    """Whether a token's text goes on with the word before it; bytes of a character may."""
    return bool(added) and (added[0].isalnum() or added[0] == INCOMPLETE_CHARACTER)


def _opens(added: str) -> bool:
    mark = added.strip()
    if not mark or added[-1].isspace():
        return bool(added)  # the space before a word, as a token of its own
    if mark == "-":
        return not added[0].isspace()
    return mark[-1] in _OPENING or (added[0].isspace() and len(mark) == 1 and mark in _QUOTES)
