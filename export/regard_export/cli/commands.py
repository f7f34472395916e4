"""`regard export`, `regard verify` and `regard inspect`.

A command imports PyTorch only when it needs it, so that help and `inspect` answer at once.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from rich.console import Console

from regard_export.cli.progress import Progress
from regard_export.cli.tables import bundle_table, plan_table, report_table, variant_line
from regard_export.errors import ExportError
from regard_export.writing.changes import SETTABLE, change
from regard_service.bundle import MANIFEST, Bundle, BundleError, Manifest, Precision, Task, Unit

if TYPE_CHECKING:
    from regard_export.checkpoints.encoder_model import EncoderModel
    from regard_export.checkpoints.source_model import LoadOptions, SourceModel

PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "int8", "int4")
UNITS: tuple[Unit, ...] = ("sentence", "passage", "whole")
TASKS = ("translation", "summarization", "captioning", "encoding", "classification", "mask_filling", "detection")
SET_HINT = "(put the manifest back as it was; `regard inspect BUNDLE --set FIELD=VALUE` changes it with its checksum)"
FOLDER_TYPE = click.Path(path_type=Path, file_okay=False)
EXISTING_FOLDER_TYPE = click.Path(path_type=Path, file_okay=False, exists=True)


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


def _prefixes(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    pairs = tuple((target.strip(), text) for target, _, text in (given.partition("=") for given in value))
    if not all("=" in given for given in value):
        raise click.BadParameter("a prefix looks like de='translate English to German: ', or ='summarize: '")
    targets = [target for target, _ in pairs]
    if len(set(targets)) < len(targets):
        raise click.BadParameter("a target has one prefix")
    return pairs


def _unit(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[Unit | None, int | None]:
    if value is None:
        return None, None
    unit, _, tokens = value.partition(":")
    if unit not in UNITS or (tokens and (unit != "passage" or not tokens.isdecimal())):
        raise click.BadParameter(f"{value!r}; known are sentence, passage, passage:TOKENS and whole")
    return unit, int(tokens) if tokens else None


@click.command("export", short_help="Export a trained model as a bundle.")
@click.argument("source")
@click.option("-o", "--output", required=True, type=FOLDER_TYPE, help="Folder of the bundle; new or empty.")
@click.option("--task", type=click.Choice(TASKS), help="The model's task, if its checkpoint leaves that open.")
@click.option(
    "--languages",
    callback=_languages,
    help="Comma-separated pairs, source-target, by the checkpoint's own codes: en-de,en-fr.",
)
@click.option(
    "--prefix",
    "prefixes",
    multiple=True,
    callback=_prefixes,
    metavar="TARGET=TEXT",
    help='What precedes every text: de="translate English to German: ", or ="summarize: " for any; may be repeated.',
)
@click.option(
    "--max-source-tokens",
    type=click.IntRange(8, 2**20),
    help="The longest source, for models with relative positions (T5), which set no limit themselves.",
)
@click.option("--base", help="Of an adapter (LoRA): the folder of its base model, or its name on the hub.")
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
@click.option("--data", type=EXISTING_FOLDER_TYPE, help="Folder with dev examples, for the quality gate.")
@click.option(
    "--unit",
    callback=_unit,
    metavar="UNIT",
    help="How much of a text the model reads at a time: sentence, passage, passage:TOKENS or whole.",
)
@click.option("--allow-mismatch", is_flag=True, help="Write the bundle even if verification fails, and mark it.")
@click.option("--trust-pickle", is_flag=True, help="Read weights from a file that may run any code when it is read.")
@click.option("--dry-run", is_flag=True, help="Only read the checkpoint, and print what would be written.")
def export_command(
    source: str,
    output: Path,
    task: Task | None,
    languages: tuple[tuple[str, str], ...],
    prefixes: tuple[tuple[str, str], ...],
    max_source_tokens: int | None,
    base: str | None,
    revision: str | None,
    name: str | None,
    version: str,
    precisions: list[Precision],
    data: Path | None,
    unit: tuple[Unit | None, int | None],
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
        from regard_export.checkpoints.any_model import as_writer
        from regard_export.checkpoints.source_model import LoadOptions
        from regard_export.examples.dev_sets import read_dev_set
        from regard_export.exporting.any_export import export_any
        from regard_export.exporting.options import ExportOptions
        from regard_export.exporting.preflight import refuse_occupied, refuse_unwritable

        refuse_occupied(output)
        model = _load(source, revision, LoadOptions(task, languages, trust_pickle, prefixes, max_source_tokens, base))
        dev = read_dev_set(data, as_writer(model, "--data")) if data else {}
        options = ExportOptions(name or output.resolve().name, version, precisions, dev, *unit, allow_mismatch)
        if dry_run:
            refuse_unwritable(model, output, options)
        else:
            bundle = export_any(model, output, options, progress.stage)
    if dry_run:
        Console(highlight=False).print(plan_table(model, output, options))
    else:
        _print_result(bundle, output)


def _print_result(bundle: Bundle, output: Path) -> None:
    size = sum(bundle.path(file).stat().st_size for file in bundle.manifest.files)
    click.echo(f"{output}: {bundle.manifest.name} {bundle.manifest.version}, {size / 1e6:.1f} MB")
    if not bundle.manifest.verification["passed"]:
        click.echo("warning: verification failed; the manifest says so", err=True)


def _load(source: str, revision: str | None, load_options: "LoadOptions") -> "SourceModel | EncoderModel":
    """Finds and loads a checkpoint, and adds its origin and license to its provenance."""
    from regard_export.checkpoints.hub import find_checkpoint
    from regard_export.families.loading import load_any_model

    checkpoint = find_checkpoint(source, revision)
    model = load_any_model(checkpoint.path, load_options)
    known = {"source": checkpoint.origin, "weights_license": model.provenance.weights_license or checkpoint.license}
    provenance = model.provenance.model_copy(update={name: value for name, value in known.items() if value})
    return replace(model, provenance=provenance)


def _load_original(
    source: str, revision: str | None, base: str | None, manifest: Manifest
) -> "SourceModel | EncoderModel":
    """Loads the checkpoint that a bundle was exported from, with the options of its export."""
    from regard_export.families.loading import load_options_of

    try:
        return _load(source, revision, replace(load_options_of(manifest), base=base))
    except ExportError as error:
        raise ExportError(
            f"{source} is not the checkpoint that {manifest.name!r} was exported from, "
            f"a model for {manifest.task} of family {manifest.family}: {error}"
        ) from error


@click.command("verify", short_help="Check a bundle against the model it was exported from.")
@click.argument("bundle_folder", metavar="BUNDLE", type=EXISTING_FOLDER_TYPE)
@click.option("--source", help="The checkpoint's folder or name on the hub, to compare with the original too.")
@click.option("--revision", help="Branch, tag or commit of a repository on the hub.")
@click.option("--base", help="Of an adapter: the folder of its base model, or its name on the hub; needs --source.")
@click.option("--data", type=EXISTING_FOLDER_TYPE, help="Folder with dev sentences, to measure BLEU; needs --source.")
def verify_command(
    bundle_folder: Path, source: str | None, revision: str | None, base: str | None, data: Path | None
) -> None:
    """Checks the checksums and the graphs of BUNDLE and, with --source, that they compute what the original does."""
    if data and not source:
        raise click.UsageError("--data needs --source")
    if (revision or base) and not source:
        raise click.UsageError(f"{'--revision' if revision else '--base'} needs --source")
    progress = Progress()
    with progress.running():
        progress.stage("checksums")
        bundle = Bundle.load(bundle_folder)
        from regard_export.checkpoints.any_model import as_writer
        from regard_export.examples.dev_sets import read_dev_set
        from regard_export.verification.bundle_verification import verify_bundle
        from regard_export.verification.check_report import VerificationFailed

        model = _load_original(source, revision, base, bundle.manifest) if source else None
        dev = read_dev_set(data, as_writer(model, "--data")) if data and model else {}
        report = verify_bundle(bundle, model, dev, progress.stage)
        if report.failures:
            raise VerificationFailed(report)
    Console(highlight=False).print(report_table(report))


def _assignments(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    pairs = [given.partition("=") for given in value]
    if not all(separator and name for name, separator, _ in pairs):
        raise click.BadParameter(f"FIELD=VALUE is expected, such as version=2; can be set: {', '.join(SETTABLE)}")
    names = [name for name, _, _ in pairs]
    if len(set(names)) < len(names):
        raise click.BadParameter("a field is set once")
    return {name: text for name, _, text in pairs}


@click.command("inspect", short_help="Show what is in a bundle.", epilog=f"Can be set: {', '.join(SETTABLE)}.")
@click.argument("bundle_folder", metavar="BUNDLE", type=EXISTING_FOLDER_TYPE)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest itself.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    callback=_assignments,
    metavar="FIELD=VALUE",
    help="Write another value into the manifest, with a new checksum, before it is printed; may be repeated.",
)
def inspect_command(bundle_folder: Path, as_json: bool, assignments: dict[str, str]) -> None:
    """Prints the manifest of BUNDLE for people to read."""
    try:
        bundle = change(bundle_folder, assignments) if assignments else Bundle.load(bundle_folder)
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    except BundleError as error:
        # Who edits a manifest by hand meets the checksum, and does not know what writes it.
        hint = [SET_HINT] if any(reason.startswith(f"{MANIFEST}: does not match") for reason in error.reasons) else []
        raise click.ClickException("\n".join([f"{bundle_folder} is refused:", *error.reasons, *hint])) from error
    if as_json:
        click.echo(bundle.manifest.model_dump_json(indent=1))
        return
    console = Console(highlight=False)
    console.print(bundle_table(bundle))
    for variant in bundle.manifest.variants:
        console.print(variant_line(bundle, variant.precision))
