"""What a command's inputs become: a result each, or the error of the one that failed."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from regard.calls.results import Result
from regard.errors import InvalidArgument

Outcome = Result | InvalidArgument | OSError
"""The error is the input's own: bytes that are no picture, a text that is too long, a file that cannot be read."""

T = TypeVar("T")


def attempt_all(call: Callable[[T], Result], inputs: Sequence[T]) -> list[Outcome]:
    """Runs each input by itself: one that fails costs the others nothing.

    Raises:
        InvalidArgument, OSError: every input failed, so that the command failed. The error is the first one's.
    """
    outcomes = [_attempt(call, each) for each in inputs]
    if not any(isinstance(outcome, Result) for outcome in outcomes):
        for outcome in outcomes[:1]:
            if not isinstance(outcome, Result):
                raise outcome
    return outcomes


def results_of(outcomes: Sequence[Outcome]) -> Iterator[Result]:
    """Yields the results, without the errors."""
    return (outcome for outcome in outcomes if isinstance(outcome, Result))


def _attempt(call: Callable[[T], Result], item: T) -> Outcome:
    try:
        return call(item)
    except (InvalidArgument, OSError) as error:
        return error
