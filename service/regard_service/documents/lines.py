"""Lines of a width: the words of a text, how wide they are, and where it is broken."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from regard_service.documents.inline import Tag, Translated

_WIDE = frozenset("WF")
_SPACES = re.compile(r"[ \t\n]++")
# Within text without spaces: behind a wide character, unless the next one closes something.
_WIDE_BREAK = re.compile(r"[^、。，．！？：；」』）］｝〉》】ー・…][、。，．！？：；」』）］｝〉》】ー・…]*+")


class Word(NamedTuple):
    """What a line is not broken within.

    Attributes:
        source: as the file has it, with codes.
        width: of what is seen, in columns.
        is_spaced: whether a space is before it, where no line begins.
    """

    source: str
    width: int
    is_spaced: bool = True


def width_of(text: str) -> int:
    """Returns a text's width in columns: wide characters (Unicode's East Asian Width W and F) take two, marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in _WIDE else 1 for each in text
    )


def words_of(
    pieces: Iterable[Translated], escape: Callable[[str], str] = str, *, shows_codes: bool = False
) -> list[Word]:
    """Returns the words of a sentence, each with the codes that touch it.

    Args:
        escape: writes text as the file has it.
        shows_codes: codes take their width, as in an editor; else they are not seen.
    """
    words: list[Word] = []
    source, width = "", 0
    for piece in pieces:
        if isinstance(piece, Tag):
            source += piece.target
            width += width_of(piece.target if shows_codes else piece.shown)
            continue
        parts = _SPACES.split(piece)
        for index, part in enumerate(parts):
            if index and source:
                words.append(Word(source, width))
                source, width = "", 0
            source, width = source + escape(part), width + width_of(part)
    return [*words, Word(source, width)] if source else words


def split_wide(words: Iterable[Word]) -> Iterator[Word]:
    """Yields the words, those of Chinese and Japanese character by character: their lines break anywhere."""
    for word in words:
        if word.width == len(word.source) or width_of(word.source) != word.width:  # not wide, or with codes
            yield word
            continue
        for index, match in enumerate(_WIDE_BREAK.finditer(word.source)):
            yield Word(match[0], width_of(match[0]), word.is_spaced and not index)


def joined(words: Iterable[Word]) -> str:
    """Returns a line of words."""
    return "".join((" " if index and word.is_spaced else "") + word.source for index, word in enumerate(words))


def wrapped(words: Iterable[Word], width: int) -> list[list[Word]]:
    """Fills lines one after another; a word that is wider than a line has one of its own."""
    lines: list[list[Word]] = []
    used = 0
    for word in words:
        needed = word.width + word.is_spaced
        if lines and used + needed <= width:
            lines[-1].append(word)
            used += needed
        else:
            lines.append([word])
            used = word.width
    return lines


def balanced(words: Sequence[Word], width: int, min_lines: int = 1) -> list[str]:
    """Breaks a text into as few lines as its width needs, as even as they can be.

    Args:
        min_lines: it has more lines than its width needs, if it has as many words.
    """
    lines = wrapped(words, width)
    number = max(len(lines), min(min_lines, len(words)))
    if number > 1:
        low, high = max(word.width for word in words), max(width, max(word.width for word in words))
        while low < high:  # the least width that needs no more lines
            middle = (low + high) // 2
            if len(wrapped(words, middle)) <= number:
                high = middle
            else:
                low = middle + 1
        lines = wrapped(words, low)
    return [joined(line) for line in lines]
