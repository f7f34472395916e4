"""Prints results: text for people, JSON for programs."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import click
from rich.console import Console

from regard.calls.results import Event, Result
from regard.cli.options import Flags
from regard.cli.outcomes import Failure, Outcome, print_failure, results_of
from regard.cli.streaming import print_events
from regard.errors import InvalidArgument
from regard.errors.as_json import error_object
from regard.values.labels import printable
from regard.wire import as_json


def print_outcomes(outcomes: Sequence[Outcome], names: Sequence[str], flags: Flags) -> None:
    """Prints what the command's inputs became; as JSON, one is an object and several are an array.

    An error is printed on standard error, with the name of its input, and as an object of JSON.
    """
    for name, outcome in zip(names, outcomes, strict=True):
        if not isinstance(outcome, Result):
            print_failure(name, outcome)
    if flags.json:
        objects = [each.to_dict() if isinstance(each, Result) else {"error": error_object(each)} for each in outcomes]
        click.echo(as_json.dump(objects[0] if len(objects) == 1 else objects))
        return
    for number, result in enumerate(results_of(outcomes)):
        if number and flags.attention:
            click.echo()
        print_text(result, flags)


class Printed(Protocol):
    """A result that can be printed as JSON."""

    def to_json(self) -> str:
        """The result as one line of JSON."""

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object."""


PrintedT = TypeVar("PrintedT", bound=Printed)


def print_one_step(
    outcomes: Sequence[PrintedT | Failure],
    names: Sequence[str],
    printed: Callable[[str, PrintedT], str],
    *,
    is_json: bool,
) -> None:
    """Prints what inputs became in one step, errors on standard error; ends with status 1 if there is one.

    Args:
        names: of the inputs, for their errors.
        printed: the lines of a result, with the name of its input; none for an empty text.
    """
    results, failed = [], False
    for name, outcome in zip(names, outcomes, strict=True):
        if isinstance(outcome, InvalidArgument | OSError):
            print_failure(name, outcome)
            failed = True
            results.append({"error": error_object(outcome)})
        elif is_json:
            results.append(outcome.to_dict())
        elif lines := printed(name, outcome):
            click.echo(lines)
    if is_json:
        click.echo(as_json.dump(results[0] if len(results) == 1 else results))
    if failed:
        click.get_current_context().exit(1)


def print_text(result: Result, flags: Flags) -> None:
    """Prints the hypotheses' texts, with their scores if there are several, and the alignment."""
    for hypothesis in result.hypotheses:
        score = f"{hypothesis.score:.3f}\t" if len(result.hypotheses) > 1 else ""
        click.echo(score + escape(hypothesis.text))
    print_grid(result, flags)
    _warn(result)


def check_files(flags: Flags) -> None:
    """Fails before the call if --plot cannot be drawn, or a file cannot be written."""
    for option, file in (("--html", flags.html), ("--plot", flags.plot)):
        if file is not None and not file.absolute().parent.is_dir():
            raise click.UsageError(f"{option}: there is no folder {file.parent}.")
    if flags.plot is not None:
        from regard.plots import ENDINGS  # raises MissingExtra without matplotlib

        if flags.plot.suffix.lower() not in ENDINGS:
            raise click.UsageError(f"--plot takes a file that ends in {', '.join(ENDINGS)}.")


def write_files(result: Result, flags: Flags, picture: str | bytes | None) -> None:
    """Writes the files of --html and --plot; `picture` is the one that was captioned, a path or a file's bytes."""
    if flags.html is not None:
        result.save_html(flags.html, picture=picture)
    if flags.plot is not None:
        result.save_plot(flags.plot, picture=picture)


def print_stream(events: Iterator[Event], flags: Flags) -> Result:
    """Prints events as they arrive, as text or one JSON object each, and returns the finished result."""
    result = print_events(events, flags, escape, _console())
    if not flags.json:
        print_grid(result, flags)
        _warn(result)
    return result


def write_line(line: str) -> None:
    """Writes a line and flushes it, to a pipe too."""
    click.echo(line)
    sys.stdout.flush()


def escape(text: str) -> str:
    """Text without control characters if it is printed to a terminal, which would obey them."""
    return printable(text) if sys.stdout.isatty() else text


def print_grid(result: Result, flags: Flags) -> None:
    """Draws the alignment, with --attention."""
    if not flags.attention:
        return
    from regard.terminal import print_alignment, print_regions

    show = print_alignment if result.image_grid is None else print_regions
    show(_console(), result, result.best)


def _console() -> Console:
    """A console for standard output, without colours if it is not a terminal or NO_COLOR is set."""
    width: dict[str, Any] = {} if sys.stdout.isatty() or "COLUMNS" in os.environ else {"width": 160}
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, **width)


def _warn(result: Result) -> None:
    for line in warnings_of(result):
        click.echo(f"regard: {line}", err=True)


def warnings_of(result: Result) -> Iterator[str]:
    """Yields what may be wrong with a result, each with the segment that it concerns."""
    if result.num_parts > 1:
        yield f"the source was split into {result.num_parts} parts"
    if result.truncated and not result.segments:
        yield f"the last {result.num_truncated_tokens} tokens of the source were dropped"
    if result.risk == "high":
        warned = {warning.message for warning in result.warnings}
        reasons = dict.fromkeys(each.message for each in result.risk_reasons if each.message not in warned)
        if reasons:
            yield f"risk high: {'; '.join(reasons)}"
    for warning in result.warnings:
        has_place = warning.segment is not None and len(result.segments) > 1
        yield f"segment {(warning.segment or 0) + 1}: {warning.message}" if has_place else warning.message
