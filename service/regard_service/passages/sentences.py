"""Cuts running text into sentences, with sentencex and a few rules of our own. Takes linear time."""

import re
from collections.abc import Iterator

import sentencex

from regard_service.domain.results import Span

# "1.", "a)", "(iv)": a number of a list, not a sentence.
_ENUMERATOR = re.compile(r"\(?+(?:\d{1,3}+|[A-Za-z]|[ivxIVX]{1,4}+)[.)]")
# Abbreviations that sentencex cuts behind, by language.
_ABBREVIATIONS = {
    "fr": frozenset({"M.", "MM."}),
}
_MAX_NAME = 80  # characters that are looked at around a boundary
_FINAL_MARKS = ".!?\u2026"


def sentences(text: str, language: str) -> list[Span]:
    """Returns the sentences of a block, without the white space between them; together all of the block.

    Args:
        language: BCP 47 code; "" and unknown ones take the rules of most languages.
    """
    pieces = sentencex.segment(language.replace("_", "-").split("-")[0], text)
    if len(pieces) == 1:
        return list(_stripped(text, [len(text)]))
    return list(_stripped(text, list(_ends(text, pieces, _ABBREVIATIONS.get(language[:2], frozenset())))))


def _ends(text: str, pieces: list[str], abbreviations: frozenset[str]) -> Iterator[int]:
    """Yields the ends of the sentences: those of the pieces that are sentences, the last one always."""
    start = end = 0
    for index, piece in enumerate(pieces):
        end += len(piece)
        is_last = index == len(pieces) - 1
        if is_last or not _is_within_sentence(text, start, end, abbreviations):
            yield end
            start = end


def _is_within_sentence(text: str, start: int, end: int, abbreviations: frozenset[str]) -> bool:
    """Whether a boundary at `end`, of a sentence that began at `start`, is none."""
    last_words = text[max(start, end - _MAX_NAME) : end].rstrip()
    if last_words.rsplit(maxsplit=1)[-1:] and last_words.rsplit(maxsplit=1)[-1] in abbreviations:
        return True
    if end - start < _MAX_NAME and _ENUMERATOR.fullmatch(last_words):
        return True
    return text[end - 1] == "." and _is_dotted_name(text, end)


def _is_dotted_name(text: str, position: int) -> bool:
    """Whether a full stop without white space behind it is one of several within a name ("System.Out.Println")."""
    before = text[max(0, position - _MAX_NAME) : position].rsplit(maxsplit=1)[-1]
    after = text[position : position + _MAX_NAME].split(maxsplit=1)
    if text[position : position + 1].isspace() or not after:
        return False
    chunk = (before + after[0]).rstrip(_FINAL_MARKS)
    return chunk.count(".") > 1 and chunk.replace(".", "").isalnum()


def _stripped(text: str, ends: list[int]) -> Iterator[Span]:
    start = 0
    for end in ends:
        sentence = text[start:end]
        content = sentence.strip()
        if content:
            first = start + len(sentence) - len(sentence.lstrip())
            yield Span(first, first + len(content))
        start = end
