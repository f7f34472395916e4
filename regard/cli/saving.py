"""`-o FILE`: results with their maps in one file, for any number of inputs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import click

from regard.calls.client import Client
from regard.calls.mapping import OnMapped, Outcome
from regard.cli.app import describe
from regard.cli.options import Flags
from regard.cli.servers import open_server
from regard.errors import InvalidArgument, RegardError
from regard.saved import ENDINGS, ResultWriter

CALLS_PER_THREAD = 8  # --concurrency counts single calls; here a call has many inputs

result_option = click.option(
    "-o",
    "--output",
    metavar="PATH",
    help=f"Write results: a file with maps, {', '.join(ENDINGS)}; of corpora a folder.",
)


class Mapper(Protocol):
    """The calls of a command for many inputs."""

    def map(
        self, client: Client, inputs: Iterator[Any], concurrency: int, on_progress: OnMapped | None
    ) -> Iterator[Outcome]:
        """The outcomes of the inputs, in order."""


def is_file_of_results(output: str | None) -> bool:
    """Whether -o names a file of results."""
    return output is not None and Path(output).suffix.lower() in ENDINGS


def run(flags: Flags, task: Mapper, inputs: Sequence[Any], read_line: Callable[[bytes], Any] | None, path: str) -> None:
    """Runs the inputs, or the lines of standard input, and writes the file; ends with status 1 if any failed.

    Args:
        read_line: the input that a line holds; None if `inputs` are the inputs.
    """
    if not is_file_of_results(path):
        raise click.UsageError(f"-o writes files that end in {', '.join(ENDINGS)}; it is {path!r}.")
    if not Path(path).absolute().parent.is_dir():
        raise click.UsageError(f"-o: there is no folder {Path(path).parent}.")
    num_failed = 0
    with (
        open_server(flags.server, flags.tls_ca, flags.verbose, flags.model) as address,
        address.client(flags.timeout) as client,
        ResultWriter(path) as writer,
        _Bar(is_shown=sys.stderr.isatty() and not flags.quiet) as bar,
    ):
        lines = _Lines(sys.stdin.buffer, read_line, writer) if read_line is not None else None
        source = iter(inputs) if lines is None else iter(lines)
        for outcome in task.map(client, source, max(1, flags.concurrency // CALLS_PER_THREAD), bar.show):
            found = outcome if lines is None else replace(outcome, index=lines.numbers[outcome.index])
            writer.write(found)
            if found.error is not None:
                num_failed += 1
                _report(found, found.error)
        num_failed += 0 if lines is None else lines.num_bad
    if num_failed:
        click.get_current_context().exit(1)


def _report(outcome: Outcome, error: Exception) -> None:
    text = describe(error) if isinstance(error, RegardError | OSError) else str(error)
    click.echo(f"regard: input {outcome.index + 1}: {text}", err=True)


class _Lines:
    """The inputs of standard input's lines; a line that holds none is an outcome at once.

    Attributes:
        numbers: the lines' numbers from 0, by the inputs' positions.
        num_bad: how many lines hold no input.
    """

    def __init__(self, stream: BinaryIO, read: Callable[[bytes], Any], writer: ResultWriter) -> None:
        self._stream = stream
        self._read = read
        self._writer = writer
        self.numbers: list[int] = []
        self.num_bad = 0

    def __iter__(self) -> Iterator[Any]:
        for number, line in enumerate(self._stream):
            try:
                given = self._read(line.rstrip(b"\r\n"))
            except InvalidArgument as error:
                outcome = Outcome(number, "", error=error)
                self._writer.write(outcome)
                self.num_bad += 1
                _report(outcome, error)
                continue
            self.numbers.append(number)
            yield given


class _Bar:
    """Counts on standard error how many inputs are done."""

    def __init__(self, is_shown: bool) -> None:
        self.show: OnMapped | None = self._show if is_shown else None

    def _show(self, num_done: int, num_failed: int) -> None:
        failed = f", {num_failed} failed" if num_failed else ""
        click.echo(f"\r{num_done} done{failed}", nl=False, err=True)

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self.show is not None:
            click.echo(err=True)
