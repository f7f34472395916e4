"""`regard export`, `regard verify` and `regard inspect`.

What needs PyTorch is imported when a command runs: help and `inspect` answer at once.
"""

import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from regard_service.bundle import Bundle, BundleError, Manifest, Precision, Task
from rich.console import Console
from rich.table import Table

from regard_export.errors import ExportError

if TYPE_CHECKING:
    from regard_export.checkpoints.source_model import SourceModel, Wanted
    from regard_export.exporting.export import ExportOptions
    from regard_export.verification.verifier import Report

PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "int8", "int4")
TASKS = ("translation", "summarization", "captioning")
MANY = 8  # languages that are listed
FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)
ENDING = (signal.SIGTERM, signal.SIGHUP)  # what asks a process to end, beside Control-C


class Progress:
    """Tells on standard error which stage runs and how long each took."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("")
        self._title = ""
        self._started = time.monotonic()

    def stage(self, title: str) -> None:
        """Ends the stage that runs, if any, and begins another."""
        self._end("[green]✓[/green]")
        self._title, self._started = title, time.monotonic()
        self._status.update(title)

    def _end(self, mark: str) -> None:
        if self._title:
            self._console.print(f"{mark} {self._title} [dim]{time.monotonic() - self._started:.1f} s[/dim]")
        self._title = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Shows the stages; errors of an export end the command with their message."""
        try:
            with self._status, _ended_in_order():
                yield
            self._end("[green]✓[/green]")
        except (ExportError, BundleError, OSError) as error:  # OSError: a full disk, permissions
            self._end("[red]✗[/red]")
            raise click.ClickException(str(error)) from error
        except MemoryError as error:
            self._end("[red]✗[/red]")
            raise click.ClickException("there is not enough memory for this model") from error


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Lets a command that is asked to end clear away what it has half made; signals that are ignored remain so."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _precisions(context: click.Context, parameter: click.Parameter, value: str) -> list[Precision]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in PRECISIONS]
    if unknown or not names:
        raise click.BadParameter(f"{value!r}; known are {', '.join(PRECISIONS)}")
    return cast(list[Precision], names)


def _languages(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[tuple[str, str], ...]:
    pairs = [tuple(pair.strip().split("-")) for pair in (value or "").split(",") if pair.strip()]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise click.BadParameter(f"{value!r}; pairs look like en-de")
    return cast(tuple[tuple[str, str], ...], tuple(pairs))


@click.command("export", short_help="Export a trained model as a bundle.")
@click.argument("source")
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder of the bundle; new or empty.")
@click.option(
    "--task", type=click.Choice(TASKS), help="What the model is to do, where its checkpoint leaves that open."
)
@click.option(
    "--languages",
    callback=_languages,
    help="Comma-separated pairs, source-target, by the checkpoint's own codes: en-de,en-fr.",
)
@click.option("--revision", help="Branch, tag or commit of a repository on the hub.")
@click.option("--name", help="The model's name in the API; the output folder's, unless given.")
@click.option("--version", default="1", show_default=True, help="The model's version.")
@click.option(
    "--precision",
    "precisions",
    default="int8",
    show_default=True,
    callback=_precisions,
    help="Comma-separated; a server takes the first that it can run. int8, int4, float16, float32.",
)
@click.option("--data", type=EXISTING, help="Folder with dev examples, for the quality gate.")
@click.option("--allow-mismatch", is_flag=True, help="Write the bundle even if verification fails, and mark it.")
@click.option("--trust-pickle", is_flag=True, help="Read weights whose file may run any code when it is read.")
@click.option("--dry-run", is_flag=True, help="Only read the checkpoint, and say what would be written.")
def export_command(
    source: str,
    output: Path,
    task: Task | None,
    languages: tuple[tuple[str, str], ...],
    revision: str | None,
    name: str | None,
    version: str,
    precisions: list[Precision],
    data: Path | None,
    allow_mismatch: bool,
    trust_pickle: bool,
    dry_run: bool,
) -> None:
    """Exports SOURCE as a bundle, unless verification finds a difference.

    SOURCE is a checkpoint's folder or its name on the hub. A repository's code is never run.
    HF_HUB_OFFLINE=1 reads the hub's cache only.
    """
    progress = Progress()
    with progress.running():
        progress.stage("reading the checkpoint")
        from regard_export.checkpoints.source_model import Wanted
        from regard_export.examples.dev_sets import dev_set
        from regard_export.exporting.export import ExportOptions, export, refuse_occupied, refuse_unwritable

        refuse_occupied(output)
        model = _read(source, revision, Wanted(task, languages, trust_pickle))
        dev = dev_set(data, model) if data else {}
        options = ExportOptions(name or output.resolve().name, version, precisions, dev, allow_mismatch)
        if dry_run:
            refuse_unwritable(model, output, options)
        else:
            bundle = export(model, output, options, progress.stage)
    if dry_run:
        Console(highlight=False).print(_plan(model, output, options))
        return
    size = sum(bundle.path(file).stat().st_size for file in bundle.manifest.files)
    click.echo(f"{output}: {bundle.manifest.name} {bundle.manifest.version}, {size / 1e6:.1f} MB")
    if not bundle.manifest.verification["passed"]:
        click.echo("warning: verification failed; the manifest says so", err=True)


def _read(source: str, revision: str | None, wanted: "Wanted") -> "SourceModel":
    """Opens a checkpoint; the manifest will say where it is from."""
    from regard_export.checkpoints import hub
    from regard_export.families.loading import load_source_model

    checkpoint = hub.find(source, revision)
    model = load_source_model(checkpoint.folder, wanted)
    told = {"source": checkpoint.origin, "weights_license": model.provenance.weights_license or checkpoint.license}
    provenance = model.provenance.model_copy(update={name: value for name, value in told.items() if value})
    return replace(model, provenance=provenance)


def _read_again(source: str, revision: str | None, manifest: Manifest) -> "SourceModel":
    """Opens what a bundle was exported from, as it was opened then."""
    from regard_export.families.loading import wanted_of

    try:
        return _read(source, revision, wanted_of(manifest))
    except ExportError as error:
        raise ExportError(
            f"{source} cannot be read as that from which {manifest.name!r} was exported, "
            f"a model for {manifest.task} of family {manifest.family}: {error}"
        ) from error


def _plan(model: "SourceModel", output: Path, options: "ExportOptions") -> Table:
    """What an export would write."""
    from regard_export.exporting.export import bytes_of, expected_bytes

    table = Table.grid(padding=(0, 2))
    rows: dict[str, str] = {
        "folder": str(output),
        "model": f"{options.name} {options.version}",
        "task": f"{model.task} ({model.family})",
        "languages": _pair(model.source_languages, model.target_languages),
        "tokens": f"source up to {model.max_source_tokens}, target up to {model.max_target_tokens}",
        "source": model.provenance.source,
        **{p: f"about {bytes_of(model, p) / 1e6:.1f} MB" for p in options.precisions},
        "while at work": f"about {expected_bytes(model, options) / 1e6:.1f} MB on the disk",
        "quality gate": f"{sum(map(len, options.dev.values()))} dev examples" if options.dev else "none: no --data",
    }
    for title, value in rows.items():
        if value:
            table.add_row(f"[bold]{title}[/bold]", value)
    return table


def _pair(sources: Sequence[str], targets: Sequence[str]) -> str:
    """Languages in words; of many, some."""

    def some(codes: Sequence[str]) -> str:
        return ", ".join(codes[:MANY]) + (f" and {len(codes) - MANY} more" if len(codes) > MANY else "")

    return f"{some(sources)} to {some(targets)}" if sources or targets else ""


@click.command("verify", short_help="Check a bundle against the model it was exported from.")
@click.argument("bundle_folder", metavar="BUNDLE", type=EXISTING)
@click.option("--source", help="The checkpoint's folder or name on the hub, to compare with the original too.")
@click.option("--revision", help="Branch, tag or commit of a repository on the hub.")
@click.option("--data", type=EXISTING, help="Folder with dev sentences, to measure BLEU; needs --source.")
def verify_command(bundle_folder: Path, source: str | None, revision: str | None, data: Path | None) -> None:
    """Checks the checksums of BUNDLE, what its graphs compute and, given their source, parity with it."""
    if data and not source:
        raise click.UsageError("--data needs --source")
    if revision and not source:
        raise click.UsageError("--revision needs --source")
    progress = Progress()
    with progress.running():
        progress.stage("checksums")
        bundle = Bundle.load(bundle_folder)
        from regard_export.examples.dev_sets import dev_set
        from regard_export.exporting.export import verify
        from regard_export.verification.verifier import VerificationFailed

        model = _read_again(source, revision, bundle.manifest) if source else None
        dev = dev_set(data, model) if data and model else {}
        report = verify(bundle, model, dev, progress.stage)
        if report.failures:
            raise VerificationFailed(report)
    print_report(report, Console(highlight=False))


@click.command("inspect", short_help="Show what is in a bundle.")
@click.argument("bundle_folder", metavar="BUNDLE", type=EXISTING)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest itself.")
def inspect_command(bundle_folder: Path, as_json: bool) -> None:
    """Prints the manifest of BUNDLE as a person reads it."""
    try:
        bundle = Bundle.load(bundle_folder)
    except BundleError as error:
        raise click.ClickException("\n".join([f"{bundle_folder} is refused:", *error.reasons])) from error
    if as_json:
        click.echo(bundle.manifest.model_dump_json(indent=1))
        return
    console = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    for title, value in _facts(bundle):
        if value:
            table.add_row(f"[bold]{title}[/bold]", value)
    console.print(table)
    for variant in bundle.manifest.variants:
        console.print(_sizes(bundle, variant.precision))


def print_report(report: "Report", console: Console) -> None:
    """Prints every check of a report as a table."""
    table = Table("", "check", "value", "at most")
    for title, section in report.sections.items():
        for check in section:
            limit = "" if check.limit is None else f"{check.limit:g}"
            mark = "[green]✓[/green]" if check.passed else "[red]✗[/red]"
            table.add_row(mark, f"{title}: {check.name}", f"{check.value:.4g}", limit)
    console.print(table)


def _facts(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """What a manifest says, in words; what it leaves empty is left out."""
    manifest = bundle.manifest
    yield "model", f"{manifest.name} {manifest.version}"
    yield "description", manifest.description
    yield "task", f"{manifest.task} ({manifest.family})"
    yield "languages", _pair(manifest.source_languages, manifest.target_languages)
    yield "styles", ", ".join(manifest.styles)
    yield (
        "tokens",
        f"{manifest.target.vocab_size} known; source up to {manifest.max_source_tokens}, "
        + (f"target up to {manifest.max_target_tokens}"),
    )
    yield "generation", _settings(manifest.generation.model_dump())
    layout = manifest.attention
    yield "attention", f"{layout.layers} layers x {layout.heads} heads; alignment: {layout.alignment_method}"
    yield "scores", _settings(manifest.scores)
    for title, value in manifest.provenance.model_dump(mode="json").items():
        yield title.replace("_", " "), value or ""
    yield "verification", _verdict(manifest)
    for precision, times in manifest.verification.get("step_ms", {}).items():
        yield f"{precision} step", ", ".join(f"{ms:g} ms for {n} at a time" for n, ms in times.items())


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _verdict(manifest: Manifest) -> str:
    report = manifest.verification
    if not report:
        return "[red]none[/red]"
    number = sum(len(section) for section in report["checks"].values())
    verdict = "[green]passed[/green]" if report["passed"] else "[red]failed[/red]"
    against = f" against {report['reference']}" if "reference" in report else ""
    return "; ".join(filter(None, [f"{verdict}, {number} checks{against}", _settings(report.get("dev", {}))]))


def _sizes(bundle: Bundle, precision: Precision) -> str:
    """One line on a variant: where it runs and how large its files are."""
    variant = next(v for v in bundle.manifest.variants if v.precision == precision)
    files = {name for graph in (variant.encode, variant.step) for name in (graph.file, *graph.external_data)}
    size = sum(bundle.path(name).stat().st_size for name in files)
    return f"{precision}: {size / 1e6:.1f} MB, {', '.join(variant.providers)}"
