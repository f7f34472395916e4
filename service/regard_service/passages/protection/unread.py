"""Words and symbols that a model cannot read, because its vocabulary lacks their characters: they are copied."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from regard_service.domain.results import Span
from regard_service.passages.protection.rules.kinds import Finding, Kind

Lacks = Callable[[str], bool]
"""Whether a vocabulary lacks a character of a text."""

_WORD = re.compile(r"(?P<word>[^\W_](?:[\w\u0300-\u036f'’\-]*[^\W_])?)|[^\s]")
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
