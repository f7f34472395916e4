"""`regard export`, `regard verify` and `regard inspect`.

What needs PyTorch is imported when a command runs: help and `inspect` answer at once.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from rich.console import Console
from rich.table import Table

from export.errors import ExportError
from models.bundle import Bundle, BundleError, Manifest, Precision

if TYPE_CHECKING:
    from export.verify import Report

PRECISIONS = ("float32", "int8")
FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING = click.Path(path_type=Path, file_okay=False, exists=True)


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
            with self._status:
                yield
            self._end("[green]✓[/green]")
        except (ExportError, BundleError) as error:
            self._end("[red]✗[/red]")
            raise click.ClickException(str(error)) from error


def _precisions(context: click.Context, parameter: click.Parameter, value: str) -> list[Precision]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in PRECISIONS]
    if unknown or not names:
        raise click.BadParameter(f"{value!r}; known are {', '.join(PRECISIONS)}")
    return cast(list[Precision], names)


@click.command("export", short_help="Export a trained model as a bundle.")
@click.argument("source", type=EXISTING)
@click.option("-o", "--output", required=True, type=FOLDER, help="Folder of the bundle; new or empty.")
@click.option("--name", help="The model's name in the API; the output folder's, unless given.")
@click.option("--version", default="1", show_default=True, help="The model's version.")
@click.option(
    "--precision",
    "precisions",
    default="int8",
    show_default=True,
    callback=_precisions,
    help="Comma-separated; a server takes the first that it can run. int8, float32.",
)
@click.option("--data", type=EXISTING, help="Folder with dev examples, for the quality gate.")
@click.option("--allow-mismatch", is_flag=True, help="Write the bundle even if verification fails, and mark it.")
def export_command(
    source: Path,
    output: Path,
    name: str | None,
    version: str,
    precisions: list[Precision],
    data: Path | None,
    allow_mismatch: bool,
) -> None:
    """Exports the checkpoint in folder SOURCE as a bundle, unless verification finds a difference."""
    progress = Progress()
    with progress.running():
        progress.stage("reading the checkpoint")
        from export import families
        from export.dev import dev_set
        from export.exporting import ExportOptions, export

        model = families.load(source)
        dev = dev_set(data, model) if data else {}
        options = ExportOptions(name or output.resolve().name, version, precisions, dev, allow_mismatch)
        bundle = export(model, output, options, progress.stage)
    size = sum(bundle.path(file).stat().st_size for file in bundle.manifest.files)
    click.echo(f"{output}: {bundle.manifest.name} {bundle.manifest.version}, {size / 1e6:.1f} MB")
    if not bundle.manifest.verification["passed"]:
        click.echo("warning: verification failed; the manifest says so", err=True)


@click.command("verify", short_help="Check a bundle against the model it was exported from.")
@click.argument("bundle_folder", metavar="BUNDLE", type=EXISTING)
@click.option("--source", type=EXISTING, help="The checkpoint, to compare with the original too.")
@click.option("--data", type=EXISTING, help="Folder with dev sentences, to measure BLEU; needs --source.")
def verify_command(bundle_folder: Path, source: Path | None, data: Path | None) -> None:
    """Checks the checksums of BUNDLE, what its graphs compute and, given their source, parity with it."""
    if data and not source:
        raise click.UsageError("--data needs --source")
    progress = Progress()
    with progress.running():
        progress.stage("checksums")
        bundle = Bundle.load(bundle_folder)
        from export import families
        from export.dev import dev_set
        from export.exporting import verify
        from export.verify import VerificationFailed

        model = families.load(source) if source else None
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
    yield "languages", f"{', '.join(manifest.source_languages)} to {', '.join(manifest.target_languages)}"
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
    for title, value in manifest.provenance.model_dump().items():
        yield title.replace("_", " "), value
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
    return f"{verdict}, {number} checks{against}; " + _settings(report.get("dev", {}))


def _sizes(bundle: Bundle, precision: Precision) -> str:
    """One line on a variant: where it runs and how large its files are."""
    variant = next(v for v in bundle.manifest.variants if v.precision == precision)
    files = {name for graph in (variant.encode, variant.step) for name in (graph.file, *graph.external_data)}
    size = sum(bundle.path(name).stat().st_size for name in files)
    return f"{precision}: {size / 1e6:.1f} MB, {', '.join(variant.providers)}"
