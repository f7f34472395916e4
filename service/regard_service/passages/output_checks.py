"""What may be wrong with an output: it was cut, is empty, repeats itself, is the source, is too short or too long."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from regard.arrays import Int64Array
from regard_service.bundle import LengthRatios, length_ratio
from regard_service.domain.results import WarningReason
from regard_service.passages.segments import has_letters

# A stretch of tokens that equal those one period before is a loop if it has so many tokens and so many periods.
MIN_LOOP_TOKENS, MIN_LOOP_PERIODS = 8, 3
MAX_PERIOD = 32
MAX_NAME_WORDS = 3
MAX_LOOP_FACTOR = 1.5  # of a loop in the source


class Fault(NamedTuple):
    """One thing that may be wrong."""

    reason: WarningReason
    message: str


def output_faults(
    source: str,
    target: str,
    tokens: Int64Array,
    source_tokens: Callable[[], Int64Array],
    *,
    is_cut: bool,
    ratios: LengthRatios | None,
    may_be_copy: bool = False,
) -> Iterator[Fault]:
    """Yields what may be wrong with an output.

    Args:
        tokens: int64 [target], of the output.
        source_tokens: returns those of the source, int64 [source].
        is_cut: whether the output ended because it had the most tokens that were allowed.
        ratios: usual lengths; None checks none.
        may_be_copy: whether an output that equals its source is as it should be.
    """
    loop = longest_loop(tokens)
    is_loop = loop > 0 and loop > MAX_LOOP_FACTOR * longest_loop(source_tokens())
    if is_cut:
        cause = "as it repeats itself" if is_loop else "max_new_tokens"
        yield Fault("output_cut", f"the output was cut after {len(tokens)} tokens ({cause})")
    content = target.strip()
    if not content:
        if has_letters(source):
            yield Fault("output_empty", "the output is empty")
        return
    if is_loop:
        yield Fault("repetition", f"the output repeats itself: {loop} of its {len(tokens)} tokens")
    elif not may_be_copy and content.casefold() == source.strip().casefold() and not _may_be_name(source):
        yield Fault("source_copied", "the output is the source")
    elif ratios is not None:
        yield from _length_faults(source, content, ratios)


def _may_be_name(source: str) -> bool:
    """Whether a source is so short that it may be a name or a word of both languages: "Berlin", "Hotel", "OK."."""
    words = source.split(maxsplit=MAX_NAME_WORDS)
    return len(words) <= MAX_NAME_WORDS and (len(words) == 1 or all(word[:1].isupper() for word in words))


def longest_loop(tokens: Int64Array) -> int:
    """Returns the length of the longest stretch of tokens that repeats itself; 0 if none is a loop.

    Args:
        tokens: int64 [tokens].
    """
    num_tokens = len(tokens)
    if num_tokens < MIN_LOOP_TOKENS:
        return 0
    # In a loop of n tokens and period p at most p are different. Most outputs end here.
    if num_tokens - len(set(tokens.tolist())) < MIN_LOOP_TOKENS * (MIN_LOOP_PERIODS - 1) // MIN_LOOP_PERIODS:
        return 0
    longest = 0
    for period in range(1, min(MAX_PERIOD, num_tokens // MIN_LOOP_PERIODS) + 1):
        length = _longest_run(tokens[period:] == tokens[:-period]) + period
        if length >= max(MIN_LOOP_TOKENS, MIN_LOOP_PERIODS * period):
            longest = max(longest, length)
    return longest


def _longest_run(equal: np.ndarray[tuple[int], np.dtype[np.bool]]) -> int:
    """Returns the length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], equal, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _length_faults(source: str, target: str, ratios: LengthRatios) -> Iterator[Fault]:
    ratio = length_ratio(source, target)
    if ratio < ratios.least:
        yield Fault("output_short", f"the output is far shorter than usual: {len(target)} characters for {len(source)}")
    elif ratio > ratios.greatest:
        yield Fault("output_long", f"the output is far longer than usual: {len(target)} characters for {len(source)}")
