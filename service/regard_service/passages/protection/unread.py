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
            matches = _WORD.finditer(text, *run.span())
            found = [Finding(Span(*m.span()), Kind.NAME if m["word"] else Kind.MARK) for m in matches if lacks(m[0])]
            yield from _names_joined(found)


def _names_joined(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Yields findings; names with nothing but marks between them, and no white space, are one name."""
    waiting: list[Finding] = []
    for finding in findings:
        if waiting and waiting[-1].span.end < finding.span.start:
            yield from waiting
            waiting = []
        if waiting and waiting[0].kind is Kind.NAME and finding.kind is Kind.NAME:
            waiting = [Finding(Span(waiting[0].span.start, finding.span.end), Kind.NAME)]
        elif waiting or finding.kind is Kind.NAME:
            waiting.append(finding)
        else:
            yield finding
    yield from waiting
