"""From a checkpoint to a verified bundle: all of it, or nothing."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regard_service.bundle import NAME, Bundle, Precision, Variant

from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.examples.dev_sets import DevSet
from regard_export.precision.quantize import CALIBRATED, Range
from regard_export.resources.memory import give_memory_back, return_what_is_freed
from regard_export.tuning.alignment_heads import find_heads, finds_heads
from regard_export.tuning.calibration import calibrate
from regard_export.verification.verifier import Report, Stage, VerificationFailed, Verifier
from regard_export.writing.staging import workplace
from regard_export.writing.variants import refuse_unoffered, write_graphs, write_manifest, write_tokenizers

MAX_VERSION = 64  # characters, of `Manifest`
# Of float32's size; quantized embeddings that are tied stand there twice, in forms that differ.
SHARE: dict[Precision, float] = {"float32": 1.0, "float16": 0.5, "int8": 0.4, "int4": 0.3}


@dataclass(frozen=True)
class ExportOptions:
    """What the caller wants.

    Attributes:
        precisions: the server takes the first that it can run.
        dev: examples for the quality gate.
        allow_mismatch: write the bundle even if verification fails; the manifest says so.

    Raises:
        ExportError: no model may have this name or version.
    """

    name: str
    version: str
    precisions: Sequence[Precision]
    dev: DevSet
    allow_mismatch: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ExportError(
                f"no model may be called {self.name!r}: letters, digits, . _ and - ; --name gives another"
            )
        if not 1 <= len(self.version) <= MAX_VERSION:
            raise ExportError(f"a version has 1 to {MAX_VERSION} characters, not {len(self.version)}")


def export(model: SourceModel, out: Path, options: ExportOptions, stage: Stage) -> Bundle:
    """Writes a bundle that passed its verification.

    The float32 graphs are always built, being what the original is compared with; they go into the bundle only if
    they are wanted. Everything is made in a folder beside `out` and takes its name last, so that an interrupted
    export leaves nothing that loads.

    Raises:
        VerificationFailed: a gate did not hold; nothing is written.
        ExportError: `out` is not empty, there is no room on the disk, or another export is at work on `out`.
    """
    return_what_is_freed()
    give_memory_back()
    refuse_unwritable(model, out, options)
    out.resolve().parent.mkdir(parents=True, exist_ok=True)
    precisions: list[Precision] = list(dict.fromkeys(options.precisions))
    with workplace(out, "export") as folder:
        refuse_occupied(out)  # another export may have ended since
        write_tokenizers(folder, model)
        stage("float32: building graphs")
        plain = write_graphs(folder, model, "float32")
        ranges = _ranges(folder, model, plain, options, stage)
        built = {"float32": plain}
        for precision in precisions:
            if precision not in built:
                stage(f"{precision}: building graphs")
                built[precision] = write_graphs(folder, model, precision, ranges)
        variants = [built[precision] for precision in dict.fromkeys([*precisions, "float32"])]
        candidate = write_manifest(folder, model, variants, name=options.name, version=options.version, verification={})
        alignment = None
        if options.dev and finds_heads(model):
            stage("which heads align best")
            alignment = find_heads(candidate, options.dev)
        unwanted = {variant.precision for variant in variants} - set(precisions)
        report = Verifier(candidate, model, options.dev, stage, only_compared=unwanted).run()
        if report.failures and not options.allow_mismatch:
            raise VerificationFailed(report)
        stage("writing the bundle")
        if "float32" not in precisions:
            shutil.rmtree(folder / "float32")
        wanted = [variant for variant in variants if variant.precision in precisions]
        write_manifest(
            folder,
            model,
            wanted,
            name=options.name,
            version=options.version,
            verification=report.to_json(),
            alignment=alignment,
        )
        refuse_occupied(out)  # somebody may have put something there since
        os.replace(folder, out.resolve())
    return Bundle.load(out)


def _ranges(folder: Path, model: SourceModel, plain: Variant, options: ExportOptions, stage: Stage) -> dict[str, Range]:
    """What enters the layers of the float32 graphs, if a precision wants to know.

    Args:
        plain: the float32 graphs in the folder.
    """
    if not set(options.precisions) & set(CALIBRATED):
        return {}
    stage("float32: what numbers reach each layer")
    bundle = write_manifest(folder, model, [plain], name=options.name, version=options.version, verification={})
    try:
        return calibrate(model.architecture, bundle, options.dev)
    finally:
        give_memory_back()


def verify(bundle: Bundle, model: SourceModel | None, dev: DevSet, stage: Stage) -> Report:
    """Checks a finished bundle again.

    Args:
        model: what it was exported from; float32 graphs are built anew for it where the bundle has none.
    """
    if model is None or any(variant.precision == "float32" for variant in bundle.manifest.variants):
        return Verifier(bundle, model, dev, stage).run()
    with workplace(bundle.folder, "verification") as folder:
        shutil.copytree(bundle.folder, folder, dirs_exist_ok=True)
        stage("float32: building graphs")
        variants = [*bundle.manifest.variants, write_graphs(folder, model, "float32")]
        manifest = bundle.manifest.model_copy(update={"variants": tuple(variants)})
        return Verifier(Bundle.write_manifest(folder, manifest), model, dev, stage, only_compared={"float32"}).run()


def refuse_occupied(out: Path) -> None:
    """Raises ExportError if `out` holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} exists and is not an empty folder")


def refuse_unwritable(model: SourceModel, out: Path, options: ExportOptions) -> None:
    """Raises ExportError if `out` holds something, a precision is not offered, or the disk has no room."""
    refuse_occupied(out)
    refuse_unoffered(model, options.precisions)
    there = next(folder for folder in out.resolve().parents if folder.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ExportError(f"{out} cannot be made: {there} is {'not writable' if there.is_dir() else 'no folder'}")
    needed, free = expected_bytes(model, options), shutil.disk_usage(there).free
    if free < needed:
        raise ExportError(f"no room for the bundle in {there}: {free >> 20} MiB are free, {needed >> 20} needed")


def expected_bytes(model: SourceModel, options: ExportOptions) -> int:
    """What the graphs of all precisions take while they are made, with a little for tables and tokenizers."""
    return sum(bytes_of(model, precision) for precision in {*options.precisions, "float32"}) + 2**24


def bytes_of(model: SourceModel, precision: Precision) -> int:
    """About what the graphs of a precision take."""
    return int(model.architecture.nbytes * SHARE[precision])
