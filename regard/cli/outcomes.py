"""What a command's inputs become: a result each, or the error of the one that failed."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import click

from regard.calls.results import Result
from regard.cli.app import describe
from regard.errors import InvalidArgument

Outcome = Result | InvalidArgument | OSError
"""The error is the input's own: bytes that are no picture, a text that is too long, a file that cannot be read."""

T = TypeVar("T")
R = TypeVar("R")
Failure = InvalidArgument | OSError


def attempt_each(call: Callable[[T], R], inputs: Sequence[T]) -> list[R | Failure]:
    """Runs each input by itself: one that fails costs the others nothing."""
    return [_attempt(call, each) for each in inputs]


def attempt_together(call: Callable[[list[T]], list[R]], inputs: Sequence[T]) -> list[R | Failure]:
    """Runs all inputs in one call; if one of them is refused, each in a call of its own."""
    try:
        return list(call([*inputs]))
    except (InvalidArgument, OSError) as error:
        return [error] if len(inputs) == 1 else attempt_each(lambda item: call([item])[0], inputs)


def raise_if_all_failed(outcomes: Sequence[R | Failure]) -> None:
    """Raises the first error if every input failed, so that the command failed."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, InvalidArgument | OSError)]
    if failures and len(failures) == len(outcomes):
        raise failures[0]


def print_failure(name: str, error: Failure) -> None:
    """Prints the error of an input on standard error.

    Args:
        name: of the input; "" if the command has no other.
    """
    if isinstance(error, OSError) or not name:  # the former names its file
        click.echo(f"regard: {describe(error)}", err=True)
    else:
        click.echo(f"regard: {name}: {describe(error)}", err=True)


def results_of(outcomes: Sequence[Outcome]) -> Iterator[Result]:
    """Yields the results, without the errors."""
    return (outcome for outcome in outcomes if isinstance(outcome, Result))


def _attempt(call: Callable[[T], R], item: T) -> R | Failure:
    try:
        return call(item)
    except (InvalidArgument, OSError) as error:
        return error
