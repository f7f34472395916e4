"""`regard translate`, `regard summarize` and `regard caption`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import click

from regard.calls.aio import AsyncClient
from regard.calls.client import Client
from regard.calls.mapping import OnMapped
from regard.calls.mapping import Outcome as MapOutcome
from regard.calls.options import CallOptions, TextOptions, TranslateOptions
from regard.calls.results import Event, Result
from regard.cli import output, saving
from regard.cli.corpora import CorpusFlags, are_corpora, bulk_options, corpus_options, run_corpora
from regard.cli.documents import are_files, document_options, exists
from regard.cli.documents import run as run_documents
from regard.cli.options import Flags, control_token_option, segment_options, shared_options, truncation_option
from regard.cli.outcomes import Outcome, attempt_each, attempt_together, raise_if_all_failed, results_of
from regard.cli.servers import open_server
from regard.saved import ENDINGS
from regard.wire.enums import ATTENTION_KIND
from regard.wire.images import ImageLike

STDIN = "-"


class Task(Protocol):
    """The calls of a command, with its options; an input is a text, or a picture's path or bytes."""

    def run(self, client: Client, inputs: list[Any]) -> list[Outcome]:
        """What all inputs become, in order."""

    def call(self, client: Client, inputs: list[Any]) -> list[Result]:
        """The results of the inputs, in one call."""

    def stream(self, client: Client, item: Any) -> Iterator[Event]:
        """The events of one input's stream."""

    async def run_one(self, client: AsyncClient, item: Any) -> Result:
        """The result of one input among many in flight."""

    def map(
        self, client: Client, inputs: Iterator[Any], concurrency: int, on_progress: OnMapped | None
    ) -> Iterator[MapOutcome]:
        """The outcomes of many inputs, in order."""


@dataclass(frozen=True)
class Translate:
    """The calls of `regard translate`."""

    to: str
    options: TranslateOptions

    def run(self, client: Client, inputs: list[str]) -> list[Outcome]:
        return attempt_together(lambda texts: self.call(client, texts), inputs)

    def call(self, client: Client, inputs: list[str]) -> list[Result]:
        return client.translate(inputs, self.to, **self.options)

    def stream(self, client: Client, item: str) -> Iterator[Event]:
        return client.stream_translate(item, self.to, **self.options)

    async def run_one(self, client: AsyncClient, item: str) -> Result:
        return await client.translate(item, self.to, **self.options)

    def map(
        self, client: Client, inputs: Iterator[Any], concurrency: int, on_progress: OnMapped | None
    ) -> Iterator[MapOutcome]:
        return client.map(inputs, self.to, concurrency=concurrency, on_progress=on_progress, **self.options)


@dataclass(frozen=True)
class Summarize:
    """The calls of `regard summarize`."""

    style: str | None
    options: TextOptions

    def run(self, client: Client, inputs: list[str]) -> list[Outcome]:
        return attempt_together(lambda texts: self.call(client, texts), inputs)

    def call(self, client: Client, inputs: list[str]) -> list[Result]:
        return client.summarize(inputs, self.style, **self.options)

    def stream(self, client: Client, item: str) -> Iterator[Event]:
        return client.stream_summarize(item, self.style, **self.options)

    async def run_one(self, client: AsyncClient, item: str) -> Result:
        return await client.summarize(item, self.style, **self.options)

    def map(
        self, client: Client, inputs: Iterator[Any], concurrency: int, on_progress: OnMapped | None
    ) -> Iterator[MapOutcome]:
        own: Any = {"task": "summarization", "style": self.style, **self.options}
        return client.map(inputs, concurrency=concurrency, on_progress=on_progress, **own)


@dataclass(frozen=True)
class Caption:
    """The calls of `regard caption`."""

    options: CallOptions

    def run(self, client: Client, inputs: list[str | bytes]) -> list[Outcome]:
        # One call for each picture: together they may exceed the limit of a message.
        return attempt_each(lambda image: client.caption(image, **self.options), inputs)

    def call(self, client: Client, inputs: list[str | bytes]) -> list[Result]:
        return client.caption(list[ImageLike](inputs), **self.options)

    def stream(self, client: Client, item: str | bytes) -> Iterator[Event]:
        return client.stream_caption(item, **self.options)

    async def run_one(self, client: AsyncClient, item: str | bytes) -> Result:
        return await client.caption(item, **self.options)

    def map(
        self, client: Client, inputs: Iterator[Any], concurrency: int, on_progress: OnMapped | None
    ) -> Iterator[MapOutcome]:
        own: Any = {"task": "captioning", **self.options}
        return client.map(inputs, concurrency=concurrency, on_progress=on_progress, **own)


@click.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT|FILE...")
@click.option(
    "--to", "--target-language", "to", default="", metavar="LANGUAGE", help='Language to translate into, such as "de".'
)
@click.option(
    "--from",
    "--source-language",
    "source_language",
    metavar="LANGUAGE",
    help='Language of the texts; "auto" detects it.',
)
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    help=f"Files, corpora: a folder, or one file's translation. Texts: results with maps, {', '.join(ENDINGS)}.",
)
@click.option("--overwrite", is_flag=True, help="Files: translations may replace the files themselves.")
@click.option("--replace-existing", is_flag=True, help="Files: translate again what has a translation (PO, XLIFF).")
@click.option("--media-type", metavar="TYPE", help='Files: their format, such as "markdown"; by default by the ending.')
@click.option("--text", "is_text", is_flag=True, help="Take every argument as a text, even if a file has that name.")
@truncation_option
@segment_options
@control_token_option
@corpus_options
@shared_options
def translate(
    flags: Flags,
    texts: tuple[str, ...],
    to: str,
    source_language: str | None,
    output: str | None,
    is_text: bool,
    corpus_flags: CorpusFlags,
    **file_options: Any,
) -> None:
    """Translate texts, files or corpora; '-' reads one text per line from standard input.

    \b
    regard translate "Where is the library?" --to de --attention
    regard translate page.html notes.md film.srt strings.po --to pt -o out/
    regard translate - --to de --beams 5 --jsonl < in.jsonl > out.jsonl
    regard translate corpus.jsonl.gz "more/*.tsv" --to de -o results/

    An argument that is the path of a file is translated as a file: text, Markdown, HTML, subtitles (SRT, VTT, ASS), PO,
    XLIFF, JSON, DOCX. A file that fails is named on standard error, and the others are translated. A corpus has one
    text a row (JSONL, TSV, Parquet; with --corpus lines plain text); the same command goes on after an interruption.

    Sentences are translated one by one, and the layout between them stays. Warnings go to standard error.

    With --jsonl each line is {"text": ...}; the output line of a failed one is {"error": ...}.
    """  # noqa: D301, click's mark for lines to keep
    is_bulk = texts == (STDIN,)
    if not is_text:
        _refuse_kinds(flags, texts)
    if are_corpora(texts, corpus_flags, is_text):
        bulk_task = Translate(
            to, bulk_options(flags.translate_options(source_language, is_bulk=True), flags, corpus_flags)
        )
        run_corpora(flags, texts, bulk_task, "translation", output, corpus_flags)
        return
    if output is not None and saving.is_file_of_results(output):
        flags = _with_maps(flags)
        task = Translate(to, flags.translate_options(source_language, is_bulk=True))
        saving.run(flags, task, texts, _line_reader(flags, "text") if is_bulk else None, output)
        return
    if not is_bulk and not is_text and (output is not None or are_files(texts)):
        _translate_files(flags, texts, to, source_language, output, **file_options)
        return
    task = Translate(to, flags.translate_options(source_language, is_bulk))
    if is_bulk:
        _check_bulk(flags)
        _run_bulk(flags, task, "text", is_plain_text=not flags.jsonl)
    else:
        _run(flags, task, list(texts))


def _translate_files(
    flags: Flags,
    files: tuple[str, ...],
    to: str,
    source_language: str | None,
    output: str | None,
    *,
    overwrite: bool,
    replace_existing: bool,
    media_type: str | None,
) -> None:
    options = document_options(flags, source_language)
    options["media_type"] = media_type
    options["replaces_existing"] = replace_existing
    if run_documents(flags, files, to, options, output, overwrite):
        click.get_current_context().exit(1)


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT|FILE|-]...")
@click.option("--style", metavar="NAME", help='Kind of summary, such as "headline" or "subject".')
@click.option("--text", "is_text", is_flag=True, help="Take every argument as a text, even if it looks like a file.")
@truncation_option
@control_token_option
@saving.result_option
@corpus_options
@shared_options
def summarize(
    flags: Flags,
    texts: tuple[str, ...],
    style: str | None,
    is_text: bool,
    output: str | None,
    corpus_flags: CorpusFlags,
) -> None:
    """Summarize texts, the texts in files, or those of corpora; '-', the default, is standard input.

    \b
    regard summarize email.txt --style subject
    regard summarize "Dear all, the meeting of tomorrow is moved to Friday at noon." --style subject

    An argument without white space is the path of a file. With --jsonl, standard input has one {"text": ...} per line;
    the output line of a failed one is {"error": ...}.
    """  # noqa: D301, click's mark for lines to keep
    texts = texts or (STDIN,)
    is_bulk = flags.jsonl and texts == (STDIN,)
    if are_corpora(texts, corpus_flags, is_text):
        bulk_task = Summarize(style, bulk_options(flags.call_options(is_bulk=True), flags, corpus_flags))
        run_corpora(flags, texts, bulk_task, "summarization", output, corpus_flags)
        return
    if output is not None:
        flags = _with_maps(flags)
        inputs = [] if is_bulk else [each if is_text else _text_of(each) for each in texts]
        task = Summarize(style, flags.call_options(is_bulk=True))
        saving.run(flags, task, inputs, _line_reader(flags, "text") if is_bulk else None, output)
        return
    task = Summarize(style, flags.call_options(is_bulk))
    if is_bulk:
        _check_bulk(flags)
        _run_bulk(flags, task, "text", is_plain_text=False)
    else:
        _run(flags, task, [each if is_text else _text_of(each) for each in texts])


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@saving.result_option
@corpus_options
@shared_options
def caption(flags: Flags, images: tuple[str, ...], output: str | None, corpus_flags: CorpusFlags) -> None:
    """Describe pictures (JPEG, PNG or WebP files), or those of corpora; '-' reads one from standard input.

    With '-' and --jsonl, standard input has one {"image": PATH} per line; the output line of a failed one is
    {"error": ...}.
    """
    addresses = [image for image in images if image.startswith(("http://", "https://"))]
    if addresses:
        raise click.UsageError(f"{addresses[0]} is an address, which is not fetched: give a file, or '-' and a pipe.")
    is_bulk = flags.jsonl and images == (STDIN,)
    if are_corpora(images, corpus_flags):
        bulk_task = Caption(bulk_options(flags.call_options(is_bulk=True), flags, corpus_flags))
        run_corpora(flags, images, bulk_task, "captioning", output, corpus_flags)
        return
    if output is not None:
        flags = _with_maps(flags)
        inputs = [_read_stdin() if image == STDIN else image for image in images] if not is_bulk else []
        task = Caption(flags.call_options(is_bulk=True))
        saving.run(flags, task, inputs, _line_reader(flags, "image") if is_bulk else None, output)
        return
    options = flags.call_options(is_bulk)
    if is_bulk:
        _check_bulk(flags)
        _run_bulk(flags, Caption(options), "image", is_plain_text=False)
    else:
        _run(flags, Caption(options), [_read_stdin() if image == STDIN else image for image in images])


def _run(flags: Flags, task: Task, inputs: list[Any]) -> None:
    """Runs the command's inputs and prints the results."""
    if flags.jsonl:
        raise click.UsageError("--jsonl reads standard input: give '-', and nothing else.")
    if len(inputs) > 1:
        _refuse_single_input_flags(flags)
    output.check_files(flags)
    with (
        open_server(flags.server, flags.tls_ca, flags.verbose, flags.model) as address,
        address.client() as client,
    ):
        if flags.stream:
            outcomes: list[Outcome] = [output.print_stream(task.stream(client, inputs[0]), flags)]
        else:
            outcomes = task.run(client, inputs)
            if not isinstance(task, Caption):  # a picture's error is printed with the name of its file
                raise_if_all_failed(outcomes)
            output.print_outcomes(outcomes, _names(task, inputs), flags)
    results = list(results_of(outcomes))
    if results:
        output.write_files(results[0], flags, inputs[0] if isinstance(task, Caption) else None)
    if len(results) < len(outcomes):
        click.get_current_context().exit(1)


def _names(task: Task, inputs: list[Any]) -> list[str]:
    """Returns what errors call the inputs: a picture by its file, a text by its number."""
    if isinstance(task, Caption):
        return ["standard input" if isinstance(each, bytes) else str(each) for each in inputs]
    return [f"text {number}" for number in range(1, len(inputs) + 1)]


def _run_bulk(flags: Flags, task: Task, key: str, is_plain_text: bool) -> None:
    """Runs each line of standard input and prints the results in order; ends with status 1 if any line failed."""
    from regard.cli import bulk

    read: Callable[[bytes], str] = bulk.read_text if is_plain_text else lambda line: bulk.read_field(line, key)
    with open_server(flags.server, flags.tls_ca, flags.verbose, flags.model) as address:
        num_failed = bulk.run(address, read, task.run_one, flags)
    if num_failed:
        click.get_current_context().exit(1)


def _with_maps(flags: Flags) -> Flags:
    """The flags for a file of results: with the alignment, unless they choose kinds of map."""
    _refuse_single_input_flags(flags)
    return flags if flags.map_kinds else replace(flags, kinds=("alignment",))


def _line_reader(flags: Flags, key: str) -> Callable[[bytes], str]:
    """Reads the input of a line: the line itself, or with --jsonl a field of its object."""
    from regard.cli import bulk

    return (lambda line: bulk.read_field(line, key)) if flags.jsonl else bulk.read_text


def _refuse_single_input_flags(flags: Flags) -> None:
    """Fails if --stream, --html or --plot, which take one input, are given."""
    options = (("--stream", flags.stream), ("--html", flags.html), ("--plot", flags.plot))
    name = next((name for name, value in options if value), None)
    if name is not None:
        raise click.UsageError(f"{name} takes one input.")


def _refuse_kinds(flags: Flags, texts: Sequence[str]) -> None:
    """Fails if a kind of map follows --attention, which takes no value: it would be translated."""
    kind = next((text for text in texts[1:] if text.replace("-", "_") in list(ATTENTION_KIND.names)), None)
    if flags.attention and kind is not None:
        raise click.UsageError(f"--attention takes no value: --kind {kind} chooses a map, --text takes it as a text.")


def _check_bulk(flags: Flags) -> None:
    _refuse_single_input_flags(flags)
    is_text = not (flags.json or flags.jsonl)
    if is_text and (flags.map_kinds or (flags.num_return_sequences or 1) > 1):
        raise click.UsageError("With '-', maps and several hypotheses need --json or --jsonl.")


def _text_of(argument: str) -> str:
    """The text that an argument is, or that its file holds."""
    has_white_space = any(map(str.isspace, argument))
    if has_white_space and not exists(argument):
        return argument
    try:
        content = _read_stdin() if argument == STDIN else Path(argument).read_bytes()
    except FileNotFoundError as error:
        error.strerror = f"{error.strerror} (--text takes it as a text)"
        raise
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        name = "standard input" if argument == STDIN else argument
        raise click.ClickException(f"{name} is not UTF-8: byte {error.start} is {content[error.start]:#04x}") from None


def _read_stdin() -> bytes:
    return sys.stdin.buffer.read()
