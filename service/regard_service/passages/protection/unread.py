"""Words and symbols that a model cannot read, because its vocabulary lacks their characters: they are copied."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from regard_service.domain.results import Span
from regard_service.passages.protection.rules.kinds import Finding, Kind

Lacks = Callable[[str], bool]
"""Whether a vocabulary lacks a character of a text."""

# Marks that combine with the letter before them, of all scripts: vowels of Thai and Devanagari are no letters to `re`.
_COMBINING = "".join(
    chr(code)
    for start, end in ((0x0300, 0x1E00), (0xA000, 0xAC00), (0x10A00, 0x11C00))
    for code in range(start, end)
    if unicodedata.category(chr(code))[0] == "M"
)
_IN_WORD = rf"\w{_COMBINING}\u200c\u200d'’\-"
_WORD = re.compile(rf"(?P<word>[^\W_](?:[{_IN_WORD}]*(?:[^\W_]|[{_COMBINING}]))?)|[^\s]")
_RUN = re.compile(r"\S+")


def with_unread(text: str, findings: Sequence[Finding], lacks: Lacks) -> list[Finding]:
    """Adds the words and symbols of a text that a vocabulary lacks, outside of what was found.

    Args:
        findings: in order, without overlap.

    Returns:
        in order, without overlap. Words are names; symbols are marks, which no grammar needs.
    """
    if not lacks(text):
        return list(findings)
    ends = [Span(0, 0), *(finding.span for finding in findings), Span(len(text), len(text))]
    gaps = (Span(left.end, right.start) for left, right in pairwise(ends))
    return sorted([*findings, *(found for gap in gaps for found in _unread(text, gap, lacks))])


def _unread(text: str, gap: Span, lacks: Lacks) -> Iterator[Finding]:
    for run in _RUN.finditer(text, *gap):
        if lacks(run[0]):
            for match in _WORD.finditer(text, *run.span()):
                if lacks(match[0]):
                    yield Finding(Span(*match.span()), Kind.NAME if match["word"] else Kind.MARK)
