"""`regard translate corpus.jsonl.gz -o out/`: results of corpora, in a folder, by a run that can go on."""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import click
import rich.progress
from click.core import ParameterSource
from rich.console import Console
from rich.text import Text

from regard.bulk.corpus import ENDINGS, FORMATS, Corpus, CorpusFormat, format_of, open_corpus
from regard.bulk.patience import ServerRunner
from regard.bulk.rows import Columns
from regard.bulk.running import Counts, Job, OnCounted, Runner, run
from regard.bulk.shards import ShardFormat
from regard.calls.client import Client
from regard.calls.mapping import BATCH_SIZES
from regard.calls.options import CallOptions, TextOptions, TranslateOptions
from regard.calls.results import Result
from regard.cli.documents import exists
from regard.cli.options import Flags
from regard.cli.saving import CALLS_PER_THREAD, is_file_of_results
from regard.cli.servers import open_server
from regard.names import MapEncoding, Task
from regard.saved.arrow import import_arrow
from regard.wire import as_json
from regard.wire.enums import ENCODING

STDIN = "-"

Options = TypeVar("Options", TranslateOptions, TextOptions, CallOptions)
_TIMEOUT_S = 600.0  # of a call, which has many rows and the lowest priority
_NOT_OF_IDENTITY = ("timeout", "priority")  # options that change no result


class BulkTask(Protocol):
    """The calls of a command; a dataclass of its options."""

    def call(self, client: Client, inputs: list[Any]) -> list[Result]:
        """The results of the inputs, in one call."""


@dataclass(frozen=True)
class CorpusFlags:
    """The flags of corpora; None is the default, which depends on the command."""

    corpus: CorpusFormat | None = None
    column: str | None = None
    id_column: str | None = None
    shards: str | None = None
    shard_rows: int | None = None
    encoding: MapEncoding | None = None
    attention_top_k: int | None = None

    @property
    def shard_format(self) -> ShardFormat:
        """How results are stored."""
        default = ShardFormat()
        ending = default.ending if self.shards is None else f".{self.shards}"
        return ShardFormat(
            ending, self.shard_rows or default.num_rows, self.encoding or default.encoding, self.attention_top_k or 0
        )

    def columns(self, task: Task) -> Columns:
        """The columns of the corpus."""
        has_pictures = task == "captioning"
        value = self.column or ("image" if has_pictures else Columns.value)
        return Columns(value, self.id_column or Columns.custom_id, self.id_column is not None, has_pictures)

    @property
    def call_options(self) -> dict[str, Any]:
        """The options of the calls that are among these flags."""
        given = {"encoding": self.encoding, "attention_top_k": self.attention_top_k}
        return {name: value for name, value in given.items() if value is not None}


_OPTIONS = (
    click.option(
        "--corpus",
        type=click.Choice(FORMATS),
        help=f"Take the files as corpora of this format; by default those that end in {', '.join(ENDINGS)}.",
    ),
    click.option(
        "--column",
        metavar="NAME",
        help='Corpora: key or column of the inputs, by default "text" ("image"); a number if a TSV has no header.',
    ),
    click.option(
        "--id-column", metavar="NAME", help='Corpora: key or column of the rows\' names, by default "custom_id".'
    ),
    click.option(
        "--shards", type=click.Choice(["parquet", "jsonl"]), help="Corpora: format of the results, by default parquet."
    ),
    click.option(
        "--shard-rows",
        type=click.IntRange(1),
        metavar="N",
        help=f"Corpora: rows of a file of results, by default {ShardFormat.num_rows}.",
    ),
    click.option(
        "--encoding", type=click.Choice(list(ENCODING.names)), help="Corpora: type of the maps' numbers in the results."
    ),
    click.option(
        "--attention-top-k",
        type=click.IntRange(1),
        metavar="N",
        help="Corpora: keep this many of the largest weights of each row of a map.",
    ),
)


def corpus_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the flags of corpora, and passes them to the command as `corpus_flags`."""
    names = [field.name for field in fields(CorpusFlags)]

    @functools.wraps(command)
    def with_flags(*args: Any, **given: Any) -> None:
        command(*args, corpus_flags=CorpusFlags(**{name: given.pop(name) for name in names}), **given)

    wrapped: Callable[..., None] = with_flags
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def bulk_options(options: Options, flags: Flags, corpus_flags: CorpusFlags) -> Options:
    """The options of a corpus' calls: the timeout is the client's, and maps count tokens unless --words is given."""
    found: Any = {name: value for name, value in options.items() if name != "timeout"}
    chosen: Options = found | {"words": bool(flags.words)} | corpus_flags.call_options
    return chosen


def are_corpora(arguments: Sequence[str], flags: CorpusFlags, is_text: bool = False) -> bool:
    """Whether a command's arguments are corpora: by their names, or because --corpus says so.

    Args:
        is_text: whether every argument is a text, whatever it looks like.
    """
    found = [flags.corpus is not None or _is_named_as_corpus(each) for each in arguments]
    if is_text or not any(found):
        given = next((field.name for field in fields(flags) if getattr(flags, field.name) is not None), None)
        if given is not None:
            raise click.UsageError(
                f"--{given.replace('_', '-')} is for corpora: files that end in {', '.join(ENDINGS)}."
            )
        return False
    if not all(found):
        raise click.UsageError(f"{arguments[found.index(False)]!r} is no corpus by its name; corpora go by themselves.")
    return True


def _is_named_as_corpus(argument: str) -> bool:
    return format_of(argument) is not None and (exists(argument) or not any(map(str.isspace, argument)))


def run_corpora(
    flags: Flags, files: Sequence[str], task: BulkTask, kind: Task, output: str | None, corpus_flags: CorpusFlags
) -> None:
    """Runs corpora by a server into the folder `output`; ends with status 1 if any row is set aside."""
    plan = Plan.of(flags, files, task, kind, output, corpus_flags)
    with (
        open_server(flags.server, flags.tls_ca, flags.verbose, flags.model) as address,
        address.client(_timeout(flags)) as client,
    ):
        runner = ServerRunner(
            lambda inputs: task.call(client, inputs), lambda name, version: client.model(name, version).precision
        )
        plan.run(runner, BATCH_SIZES[kind], max(1, flags.concurrency // CALLS_PER_THREAD))


@dataclass(frozen=True)
class Plan:
    """A command's corpora, checked, and where their results go."""

    corpus: Corpus
    output: str
    identity: Mapping[str, Any]
    shard_format: ShardFormat
    flags: Flags

    @classmethod
    def of(
        cls,
        flags: Flags,
        files: Sequence[str],
        task: BulkTask,
        kind: Task,
        output: str | None,
        corpus_flags: CorpusFlags,
    ) -> Self:
        """Checks a command's arguments and reads its corpora to their ends."""
        if output is None:
            raise click.UsageError("A corpus needs -o: a folder for its results.")
        if is_file_of_results(output):
            raise click.UsageError(f"The results of a corpus go into a folder; -o names the file {output!r}.")
        if STDIN in files:
            raise click.UsageError(
                "A run that can go on needs files; standard input goes into one: -o results.parquet."
            )
        _refuse_flags_of_one_input(flags)
        if corpus_flags.shard_format.ending == ".parquet":
            import_arrow("writing Parquet (--shards jsonl does without)")
        corpus = open_corpus(files, corpus_flags.columns(kind), corpus_flags.corpus)
        return cls(corpus, output, identity_of(task, kind, corpus_flags), corpus_flags.shard_format, flags)

    def run(self, runner: Runner, batch_size: int, concurrency: int) -> None:
        """Runs the corpora, with a bar; reports, and ends with status 1 if any row is set aside."""
        job = Job(self.corpus, Path(self.output), runner, self.identity, self.shard_format, batch_size, concurrency)
        with _bar(self.corpus.num_rows, is_shown=sys.stderr.isatty() and not self.flags.quiet) as on_progress:
            counts = run(job, on_progress)
        report(counts, self.output, self.flags.json)


def report(counts: Counts, output: str, is_json: bool) -> None:
    """Prints how many rows were written and set aside, and why; ends with status 1 if any was set aside."""
    if is_json:
        click.echo(as_json.dump(counts.to_dict()))
    click.echo(f"regard: {output}: {_rows(counts.num_rows - counts.num_failed)} written", err=True)
    if counts.num_failed:
        reasons = ", ".join(f"{number} {reason}" for reason, number in sorted(counts.reasons.items()))
        click.echo(f"regard: {output}: {_rows(counts.num_failed)} set aside in failed-*.jsonl: {reasons}", err=True)
        click.get_current_context().exit(1)


def identity_of(task: Any, kind: Task, flags: CorpusFlags) -> Mapping[str, Any]:
    """What a manifest says of a run: everything that changes results or their files."""
    given = asdict(task)
    options = {name: value for name, value in given.pop("options").items() if value not in (None, (), [])}
    columns = flags.columns(kind)
    return {
        "task": kind,
        **given,
        "options": {name: value for name, value in options.items() if name not in _NOT_OF_IDENTITY},
        "columns": {"value": columns.value, "custom_id": columns.custom_id},
        "shards": asdict(flags.shard_format),
    }


def _timeout(flags: Flags) -> float:
    source = click.get_current_context().get_parameter_source("timeout")
    return _TIMEOUT_S if source is ParameterSource.DEFAULT else flags.timeout


def _refuse_flags_of_one_input(flags: Flags) -> None:
    options = (("--stream", flags.stream), ("--html", flags.html), ("--plot", flags.plot), ("--jsonl", flags.jsonl))
    name = next((name for name, value in options if value), None)
    if name is not None:
        raise click.UsageError(f"{name} is not for corpora.")


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


class _Rate(rich.progress.ProgressColumn):
    """Rows done of all, rows a second in this process, and failed rows."""

    def render(self, task: rich.progress.Task) -> Text:
        line = Text(f"{int(task.completed):,} of {int(task.total or 0):,} rows, {task.speed or 0.0:.1f}/s")
        if task.fields["num_failed"]:
            line.append(f", {task.fields['num_failed']:,} failed", "red")
        return line


@contextmanager
def _bar(num_rows: int, is_shown: bool) -> Iterator[OnCounted]:
    columns = (
        rich.progress.BarColumn(bar_width=None),
        _Rate(),
        rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
    )
    console = Console(stderr=True)
    with rich.progress.Progress(
        *columns, console=console, redirect_stdout=False, expand=True, disable=not is_shown
    ) as bar:
        task = bar.add_task("", total=num_rows, num_failed=0, start=False)

        def on_progress(num_done: int, num_failed: int) -> None:
            if not bar.tasks[0].started:
                bar.update(task, completed=num_done - 1)  # rows of earlier processes do not count for the rate
                bar.start_task(task)
            bar.update(task, completed=num_done, num_failed=num_failed)

        yield on_progress
