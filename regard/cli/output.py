"""How results are printed: text for people, JSON for programs."""

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.console import Console

from regard import as_json
from regard.cli.options import Asked
from regard.cli.streaming import print_events
from regard.results import Event, Result
from regard.terminal import printable


def print_results(results: Sequence[Result], asked: Asked) -> None:
    """Prints the results of the inputs that were given; as JSON one as an object, several as an array."""
    if asked.json:
        objects = [result.to_dict() for result in results]
        click.echo(as_json.dump(objects[0] if len(objects) == 1 else objects))
        return
    for number, result in enumerate(results):
        if number and asked.attention:
            click.echo()
        print_text(result, asked)


def print_text(result: Result, asked: Asked) -> None:
    """Prints the hypotheses as a person reads them, each with its score if there are several, and the alignment."""
    for hypothesis in result.hypotheses:
        score = f"{hypothesis.score:.3f}\t" if len(result.hypotheses) > 1 else ""
        click.echo(score + shown(hypothesis.text))
    _print_grid(result, asked)
    _warn(result)


def check_files(asked: Asked) -> None:
    """Fails before anything is computed if what --plot asks for cannot be drawn."""
    if asked.plot is not None:
        from regard.plots import ENDINGS  # an error that names the extra, where that is missing

        if asked.plot.suffix.lower() not in ENDINGS:
            raise click.UsageError(f"--plot takes a file that ends in {', '.join(ENDINGS)}.")


def write_files(result: Result, asked: Asked, picture: str | bytes | None) -> None:
    """Writes what --html and --plot ask for; `picture` is the one that was captioned, a path or a file's bytes."""
    if asked.html is not None:
        result.save_html(asked.html, picture=picture)
    if asked.plot is not None:
        result.save_plot(asked.plot, picture=picture)


def print_stream(events: Iterator[Event], asked: Asked) -> Result:
    """Prints events as they come: text as it grows, or one JSON object each. Returns the finished result."""
    result = print_events(events, asked, shown, _console())
    if not asked.json:
        _print_grid(result, asked)
        _warn(result)
    return result


def write_line(line: str) -> None:
    """Writes a line at once, whoever reads it."""
    click.echo(line)
    sys.stdout.flush()


def shown(text: str) -> str:
    """Text as it may be printed: a terminal must not take any of it as a command."""
    return printable(text) if sys.stdout.isatty() else text


def _print_grid(result: Result, asked: Asked) -> None:
    if not asked.attention:
        return
    from regard.regions import print_regions
    from regard.terminal import print_alignment

    show = print_alignment if result.image_grid is None else print_regions
    show(_console(), result, result.best)


def _console() -> Console:
    """Where things with colours are printed: without them if it is no terminal, or NO_COLOR is set."""
    width: dict[str, Any] = {} if sys.stdout.isatty() or "COLUMNS" in os.environ else {"width": 160}
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, **width)


def _warn(result: Result) -> None:
    if result.num_parts > 1:
        click.echo(f"regard: the source was split into {result.num_parts} parts", err=True)
    if result.truncated:
        click.echo(f"regard: the last {result.num_truncated_tokens} tokens of the source were dropped", err=True)
