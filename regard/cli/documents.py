"""`regard translate` with files: each becomes a file of the same format."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import rich.progress
from click.core import ParameterSource
from rich.console import Console

from regard.calls.client import Client
from regard.calls.documents import OnProgress
from regard.calls.options import DocumentOptions
from regard.cli.app import describe
from regard.cli.options import Flags
from regard.cli.servers import open_server
from regard.errors import RegardError
from regard.values.documents import DocumentWarning, TranslatedDocument
from regard.values.labels import printable
from regard.wire import as_json

ENDINGS = frozenset(
    """
    .ass .arb .docx .htm .html .json .markdown .md .po .pot .srt .ssa .text .ts .txt .vtt .xhtml .xlf .xliff
    """.split()
)
"""Of the names of files that a server reads."""

_OTHER_ENDINGS = frozenset(
    """
    .csv .doc .epub .gif .gz .jpeg .jpg .jsonl .log .odp .ods .odt .pages .pdf .png .ppt .pptx .rst .rtf .tex .tsv .ttml
    .xls .xlsx .xml .yaml .yml .zip
    """.split()
)
"""Of the names of files that a server does not read, and that nobody means as a text."""
_PATH = re.compile(r"(?:~|\.{1,2})?/[^/\s]+(?:/[^/\s]+)*/?|(?:[A-Za-z]:|\.{1,2})\\\S+")

_TEXT_ONLY = (
    ("--attention", "attention"),
    ("--html", "html"),
    ("--plot", "plot"),
    ("--kind", "kinds"),
    ("--stream", "stream"),
    ("--jsonl", "jsonl"),
    ("--format", "format"),
    ("--raw", "raw"),
    ("--num-return-sequences", "num_return_sequences"),
    ("--prefix", "target_prefix"),
    ("--alternatives", "num_alternatives"),
)


def are_files(arguments: Sequence[str]) -> bool:
    """Whether the arguments of a command are files: one of them exists, or all look like the name of a file."""
    return any(map(exists, arguments)) or all(map(_looks_like_file, arguments))


def exists(argument: str) -> bool:
    """Whether an argument is the path of a file or folder."""
    try:
        return argument != "" and Path(argument).exists()  # Path("") is the current folder
    except (OSError, ValueError):  # too long for a name, or with a NUL
        return False


def _looks_like_file(argument: str) -> bool:
    if any(map(str.isspace, argument)) or "://" in argument:
        return False
    return Path(argument).suffix.lower() in ENDINGS | _OTHER_ENDINGS or _PATH.fullmatch(argument) is not None


def run(flags: Flags, files: Sequence[str], to: str, options: DocumentOptions, output: str | None, force: bool) -> int:
    """Translates files and writes or prints the translations; returns how many failed.

    Args:
        output: a folder, or a file for a single input; None prints a single input's translation.
        force: whether an output may replace an input.
    """
    _refuse_text_flags(flags)
    if output is None and (len(files) > 1 or flags.json):
        raise click.UsageError("Several files, and --json, need -o: a folder for the translations.")
    texts = [file for file in files if any(map(str.isspace, file)) and not exists(file)]
    if texts:
        raise click.UsageError(f"There is no file {texts[0]!r}; -o and files' options take files.")
    targets = [None] * len(files) if output is None else _targets(files, output)
    num_failed, reports = 0, []
    with open_server(flags.server, flags.tls_ca, flags.verbose, flags.model) as address, address.client() as client:
        for file, target in zip(files, targets, strict=True):
            try:
                _check_target(target, files, force)
                document = _translated(client, file, to, options, flags)
                _deliver(document, target)
            except (RegardError, OSError) as error:
                num_failed += 1
                reports.append({"file": file, "error": _message(error)})
                click.echo(f"regard: {file}: {_message(error)}", err=True)
            else:
                reports.append(_report(file, target, document))
                for warning in document.warnings:
                    click.echo(f"regard: {file}: {_described(warning)}", err=True)
    if flags.json:
        click.echo(as_json.dump(reports[0] if len(reports) == 1 else reports))
    return num_failed


def document_options(flags: Flags, source_language: str | None) -> DocumentOptions:
    """The options of the client's calls for files; their time is limited only if the user says so."""
    given = click.get_current_context().get_parameter_source("timeout")
    return DocumentOptions(
        model=flags.model,
        source_language=source_language,
        num_beams=flags.num_beams,
        max_new_tokens=flags.max_new_tokens,
        min_new_tokens=flags.min_new_tokens,
        length_penalty=flags.length_penalty,
        early_stopping=flags.early_stopping,
        no_repeat_ngram_size=flags.no_repeat_ngram_size,
        repetition_penalty=flags.repetition_penalty,
        temperature=flags.temperature,
        top_k=flags.top_k,
        top_p=flags.top_p,
        seed=flags.seed,
        unit=flags.unit,
        protected_patterns=flags.protect,
        truncation=flags.truncation,
        terms=flags.terms,
        glossaries=flags.glossaries,
        suppressed=flags.suppressed,
        timeout=None if given is ParameterSource.DEFAULT else flags.timeout,
    )


def _refuse_text_flags(flags: Flags) -> None:
    name = next((name for name, field in _TEXT_ONLY if getattr(flags, field)), None)
    if name is not None:
        raise click.UsageError(f"{name} is for texts; files are translated as a whole (--text takes names as texts).")


def _targets(files: Sequence[str], output: str) -> list[Path]:
    """The output of each file: its name in the folder; with its own folder where names occur twice."""
    folder = Path(output)
    if len(files) == 1 and not output.endswith(("/", os.sep)) and not folder.is_dir():
        return [folder]
    names = [Path(file).name for file in files]
    if len(set(names)) == len(names):
        return [folder / name for name in names]
    paths = [Path(file).absolute() for file in files]
    parent = os.path.commonpath([path.parent for path in paths])
    return [folder / os.path.relpath(path, parent) for path in paths]


def _check_target(target: Path | None, files: Sequence[str], force: bool) -> None:
    """Raises RegardError if a translation would replace one of the files that are translated."""
    if target is None or force or not target.exists():
        return
    for file in files:
        if exists(file) and target.samefile(file):
            raise RegardError(f"its translation would replace {file}: choose another -o, or --overwrite")


def _translated(client: Client, file: str, to: str, options: DocumentOptions, flags: Flags) -> TranslatedDocument:
    with _progress(file, flags) as on_progress:
        return client.translate_document(file, to, on_progress=on_progress, **options)


def _deliver(document: TranslatedDocument, target: Path | None) -> None:
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        document.save(target)
        return
    if sys.stdout.isatty() and not document.media_type.startswith(("text/", "application/json", "application/x-sub")):
        raise RegardError("a terminal cannot show this format: give -o, or redirect the output")
    text = document.data
    if sys.stdout.isatty():
        lines = text.decode(errors="replace").split("\n")
        text = "\n".join(map(printable, lines)).encode()
    click.echo(text, nl=False)


@contextmanager
def _progress(file: str, flags: Flags) -> Iterator[OnProgress]:
    """Shows a bar over the texts of a file on standard error."""
    is_shown = sys.stderr.isatty() and not flags.quiet
    columns = (
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=Console(stderr=True), disable=not is_shown) as bar:
        task = bar.add_task(file, total=None)

        def on_progress(num_done: int, num_units: int) -> None:
            bar.update(task, completed=num_done, total=num_units)

        yield on_progress


def _message(error: Exception) -> str:
    if isinstance(error, RegardError):
        return describe(error)
    return getattr(error, "strerror", None) or str(error)


def _report(file: str, target: Path | None, document: TranslatedDocument) -> dict[str, Any]:
    return {
        "file": file,
        "output": str(target),
        "media_type": document.media_type,
        "model": document.model,
        "warnings": [warning.to_dict() for warning in document.warnings],
    }


def _described(warning: DocumentWarning) -> str:
    """A warning in one line, with the text that it concerns."""
    place = f"{warning.place}: " if warning.place else ""
    text = f" ({printable(warning.text)!r})" if warning.text else ""
    return f"{place}{warning.message}{text}"
