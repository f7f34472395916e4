"""Cuts running text into sentences, with sentencex and a few rules of our own. Takes linear time."""

import re
from collections.abc import Iterator
from itertools import pairwise

import sentencex

from regard_service.domain.results import Span
from regard_service.passages.protection.rules.finding import find

# "1.", "a)", "(iv)": a number of a list, not a sentence.
_ENUMERATOR = re.compile(r"\(?+(?:\d{1,3}+|[A-Za-z]|[ivxIVX]{1,4}+)[.)]")
# Abbreviations that sentencex cuts behind, by language.
_ABBREVIATIONS = {
    "fr": frozenset({"M.", "MM."}),
}
# Words that end sentences and that sentencex takes for abbreviations ("me" for Maine), by language: those that end at
# least three sentences of Tatoeba.
_WORDS = {
    "de": "Art|Bart|mag|mich",
    "en": "ID|May|OK|art|ill|may|me|miss|no|sec",
    "es": "auto|bien|contra|entre|extra|mar|mono|no|sobre",
    "fr": "art|sec|vol",
}
_MORE_ENDS = {
    language: re.compile(rf"(?<![\w.-])(?:{words})\.\s++(?=[\"'\u201c\u201e\u00ab\u00bf\u00a1(]?+[A-Z\u00c0-\u00de])")
    for language, words in _WORDS.items()
}
# A sentence in brackets: (He was late.) Then ...
_BRACKETED = re.compile(
    r"(?:(?<=[.!?\u2026\"'\u201d] )|^)\([A-Z\u00c0-\u00de\u00bf\u00a1][^()\n]{1,400}+(?<=[.!?])\)\s++"
    r"(?=[\"'\u201c\u201e\u00ab\u00bf\u00a1(]?+[A-Z\u00c0-\u00de])"
)
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\\s]++")
_ESCAPED_BREAKS = re.compile(r"(?<=[.!?])(?:\\[nrt])++")
_MAX_NAME = 80  # characters that are looked at around a boundary
_FINAL_MARKS = ".!?\u2026"


def sentences(text: str, language: str) -> list[Span]:
    """Returns the sentences of a block, without the white space between them; together all of the block.

    Args:
        language: BCP 47 code; "" and unknown ones take the rules of most languages.
    """
    pieces = sentencex.segment(language.replace("_", "-").split("-")[0], text)
    ends = [len(text)] if len(pieces) == 1 else _ends(text, pieces, _ABBREVIATIONS.get(language[:2], frozenset()))
    more = _MORE_ENDS.get(language[:2])
    if more is not None and ". " in text:
        ends = sorted({*ends, *(match.end() for match in more.finditer(text))})
    if ".)" in text or "!)" in text or "?)" in text:
        ends = sorted({*ends, *(match.end() for match in _BRACKETED.finditer(text))})
    if "\\" in text:
        ends = sorted({*ends, *(match.end() for match in _ESCAPED_BREAKS.finditer(text))})
    if len(ends) > 1:
        ends = _outside(ends, [finding.span for finding in find(text)])
    return list(_stripped(text, ends))


def _ends(text: str, pieces: list[str], abbreviations: frozenset[str]) -> list[int]:
    """Returns the ends of the sentences: those of the pieces that are sentences, the last one always."""
    ends: list[int] = []
    start = end = 0
    for index, piece in enumerate(pieces):
        end += len(piece)
        is_last = index == len(pieces) - 1
        if is_last or not _is_within_sentence(text, start, end, abbreviations):
            ends.append(end)
            start = end
    return ends


def _outside(ends: list[int], spans: list[Span]) -> list[int]:
    """Returns the ends that are not within what is copied: an address, a path, a code span."""
    kept, at = [], 0
    for end in ends:
        while at < len(spans) and spans[at].end <= end:
            at += 1
        if at == len(spans) or end <= spans[at].start:
            kept.append(end)
    return kept


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
    for end, following in pairwise([*ends, len(text)]):
        if end < following and _UNSEEN.fullmatch(text, end, following):
            continue  # marks that nobody sees, such as that of a direction's end, belong to the sentence before
        sentence = text[start:end]
        content = sentence.strip()
        if content:
            first = start + len(sentence) - len(sentence.lstrip())
            yield Span(first, first + len(content))
        start = end
