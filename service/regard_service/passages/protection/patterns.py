"""Patterns of a caller, in RE2: no backtracking, so that no pattern takes more than linear time."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import re2

from regard_service.domain.results import Span
from regard_service.errors import FieldViolation, InvalidInput

MAX_PATTERNS = 32
MAX_PATTERN_LENGTH = 512
_MAX_MEMORY = 1 << 20
_WINDOW = 4096


def compile_patterns(patterns: Sequence[str], field: str = "protected_patterns") -> tuple["Pattern", ...]:
    """Compiles a caller's patterns.

    Args:
        patterns: in the syntax of RE2; at most 32, of at most 512 characters each.
        field: the field of the request, for errors.

    Raises:
        InvalidInput: too many patterns; one that is empty, too long, too large when compiled, or not of RE2's syntax.
            Every fault is listed.
    """
    if len(patterns) > MAX_PATTERNS:
        raise InvalidInput.of(field, f"has {len(patterns)} patterns; the limit is {MAX_PATTERNS}")
    faults = [(index, _fault(pattern)) for index, pattern in enumerate(patterns)]
    violations = [FieldViolation(f"{field}[{index}]", fault) for index, fault in faults if fault]
    if violations:
        raise InvalidInput(violations)
    return tuple(Pattern(pattern) for pattern in patterns)


def _fault(pattern: str) -> str:
    if not pattern:
        return "is empty"
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"has {len(pattern)} characters; the limit is {MAX_PATTERN_LENGTH}"
    try:
        _compiled(pattern)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if error.args else "unknown"
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return f"is no pattern of RE2: {reason}"
    return ""


@lru_cache(256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _MAX_MEMORY
    options.log_errors = False
    options.never_capture = True
    return re2.compile(pattern, options)


class Pattern:
    """A caller's pattern, compiled."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._compiled = _compiled(pattern)

    def find(self, text: str) -> Iterator[Span]:
        """Yields the ranges that match and are not empty.

        A longer text is searched window by window, each up to a white space: a search for one match reads to the end
        of its text, so that many matches in one long text would take quadratic time.
        """
        start = 0
        while start < len(text):
            end = _window_end(text, start)
            for match in self._compiled.finditer(_encodable(text[start:end])):
                first, last = match.span()
                if first < last:
                    yield Span(start + first, start + last)
            start = end


def _window_end(text: str, start: int) -> int:
    """Returns where a window ends: after the last white space that it holds, if any."""
    end = start + _WINDOW
    if end >= len(text):
        return len(text)
    for position in range(end, start + _WINDOW // 2, -1):
        if text[position - 1].isspace():
            return position
    return end


def _encodable(text: str) -> str:
    """Replaces lone surrogates, which RE2 cannot read; positions stay."""
    return text.encode("utf-8", "replace").decode("utf-8")
