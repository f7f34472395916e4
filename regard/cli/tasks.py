"""`regard translate`, `regard summarize` and `regard caption`."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import click

from regard.aio import AsyncClient
from regard.cli import output
from regard.cli.options import Asked, shared_options, truncation_option
from regard.cli.servers import chosen_server
from regard.client import Client
from regard.requests import CallOptions, TextOptions
from regard.results import Event, Result

STDIN = "-"


class Task(Protocol):
    """What a command does with an input, be it a text or a picture."""

    def run(self, client: Client, inputs: list[Any]) -> list[Result]: ...
    def stream(self, client: Client, item: Any) -> Iterator[Event]: ...
    async def run_one(self, client: AsyncClient, item: Any) -> Result: ...


@dataclass(frozen=True)
class Translate:
    to: str
    source_language: str | None
    options: TextOptions

    def run(self, client: Client, inputs: list[str]) -> list[Result]:
        return client.translate(inputs, self.to, source_language=self.source_language, **self.options)

    def stream(self, client: Client, item: str) -> Iterator[Event]:
        return client.stream_translate(item, self.to, source_language=self.source_language, **self.options)

    async def run_one(self, client: AsyncClient, item: str) -> Result:
        return await client.translate(item, self.to, source_language=self.source_language, **self.options)


@dataclass(frozen=True)
class Summarize:
    style: str | None
    options: TextOptions

    def run(self, client: Client, inputs: list[str]) -> list[Result]:
        return client.summarize(inputs, self.style, **self.options)

    def stream(self, client: Client, item: str) -> Iterator[Event]:
        return client.stream_summarize(item, self.style, **self.options)

    async def run_one(self, client: AsyncClient, item: str) -> Result:
        return await client.summarize(item, self.style, **self.options)


@dataclass(frozen=True)
class Caption:
    options: CallOptions

    def run(self, client: Client, inputs: list[str | bytes]) -> list[Result]:
        # One call a picture: together they may be more than a message takes.
        return [client.caption(image, **self.options) for image in inputs]

    def stream(self, client: Client, item: str | bytes) -> Iterator[Event]:
        return client.stream_caption(item, **self.options)

    async def run_one(self, client: AsyncClient, item: str | bytes) -> Result:
        return await client.caption(item, **self.options)


@click.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@click.option("--to", default="", metavar="LANGUAGE", help='Language to translate into, such as "de".')
@click.option("--from", "source_language", metavar="LANGUAGE", help="Language of the texts.")
@truncation_option
@shared_options
def translate(asked: Asked, texts: tuple[str, ...], to: str, source_language: str | None) -> None:
    """Translate texts; '-' reads one text a line from standard input.

    \b
    regard translate "Where is the library?" --to de --attention
    regard translate - --to de --beams 5 --jsonl < in.jsonl > out.jsonl

    With --jsonl a line is {"text": ...}, and a line that fails gives {"error": ...}, at its place.
    """  # noqa: D301, click's mark for lines to keep
    bulk = texts == (STDIN,)
    task = Translate(to, source_language, asked.call_options(bulk))
    if bulk:
        _check_bulk(asked)
        _run_bulk(asked, task, "text", from_lines=not asked.jsonl)
    else:
        _run(asked, task, list(texts))


@click.command()
@click.argument("file", default=STDIN, metavar="[FILE|-]")
@click.option("--style", metavar="NAME", help='Kind of summary, such as "headline" or "subject".')
@truncation_option
@shared_options
def summarize(asked: Asked, file: str, style: str | None) -> None:
    """Summarize the text in a file; '-', the default, is standard input.

    With --jsonl, standard input has one {"text": ...} a line, and a line that fails gives {"error": ...}, at its place.
    """
    bulk = asked.jsonl and file == STDIN
    task = Summarize(style, asked.call_options(bulk))
    if bulk:
        _check_bulk(asked)
        _run_bulk(asked, task, "text", from_lines=False)
    else:
        _run(asked, task, [_read_text(file)])


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@shared_options
def caption(asked: Asked, images: tuple[str, ...]) -> None:
    """Describe pictures (JPEG, PNG or WebP files); '-' reads one from standard input.

    With '-' and --jsonl, standard input has one {"image": PATH} a line, and a line that fails gives {"error": ...}, at
    its place.
    """
    bulk = asked.jsonl and images == (STDIN,)
    options = asked.call_options(bulk)
    if bulk:
        _check_bulk(asked)
        _run_bulk(asked, Caption(options), "image", from_lines=False)
    else:
        _run(asked, Caption(options), [_read_stdin() if image == STDIN else image for image in images])


def _run(asked: Asked, task: Task, inputs: list[Any]) -> None:
    """Runs inputs given by name, prints the results."""
    if asked.jsonl:
        raise click.UsageError("--jsonl reads standard input: give '-', and nothing else.")
    if len(inputs) > 1:
        _check_alone(asked)
    output.check_files(asked)
    with (
        chosen_server(asked.server, asked.tls_ca, asked.verbose, asked.model) as address,
        address.client() as client,
    ):
        if asked.stream:
            results = [output.print_stream(task.stream(client, inputs[0]), asked)]
        else:
            results = task.run(client, inputs)
            output.print_results(results, asked)
    output.write_files(results[0], asked, inputs[0] if isinstance(task, Caption) else None)


def _run_bulk(asked: Asked, task: Task, key: str, from_lines: bool) -> None:
    """Runs standard input's lines, prints each one's result in order; ends with status 1 if any failed."""
    from regard.cli import bulk

    read: Callable[[bytes], str] = bulk.text_of if from_lines else lambda line: bulk.field_of(line, key)
    with chosen_server(asked.server, asked.tls_ca, asked.verbose, asked.model) as address:
        num_failed = bulk.run(address, read, task.run_one, asked)
    if num_failed:
        click.get_current_context().exit(1)


def _check_alone(asked: Asked) -> None:
    """What --stream, --html and --plot take is one input; standard input's lines are many."""
    options = (("--stream", asked.stream), ("--html", asked.html), ("--plot", asked.plot))
    name = next((name for name, given in options if given), None)
    if name is not None:
        raise click.UsageError(f"{name} takes one input.")


def _check_bulk(asked: Asked) -> None:
    _check_alone(asked)
    as_text = not (asked.json or asked.jsonl)
    if as_text and (asked.wanted_maps or (asked.num_return_sequences or 1) > 1):
        raise click.UsageError("With '-', maps and several hypotheses need --json or --jsonl.")


def _read_text(file: str) -> str:
    content = _read_stdin() if file == STDIN else Path(file).read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        name = "standard input" if file == STDIN else file
        raise click.ClickException(f"{name} is not UTF-8: byte {error.start} is {content[error.start]:#04x}") from None


def _read_stdin() -> bytes:
    return sys.stdin.buffer.read()
