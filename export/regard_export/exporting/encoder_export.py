"""From a checkpoint without a decoder to a verified bundle: the whole bundle, or nothing."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.errors import ExportError
from regard_export.exporting.options import ExportOptions
from regard_export.exporting.preflight import refuse_occupied, refuse_unwritable
from regard_export.precision.precision_builders import CALIBRATED_PRECISIONS
from regard_export.resources.memory import release_memory, return_large_allocations
from regard_export.tuning.calibration import calibrate_encoder
from regard_export.verification.check_report import CheckReport, VerificationFailed
from regard_export.verification.encoder_verifier import EncoderVerifier
from regard_export.verification.verifier import StageCallback
from regard_export.writing.encoder_manifest import write_encoder_manifest
from regard_export.writing.manifest import write_tokenizers
from regard_export.writing.staging import staging_folder
from regard_export.writing.variants import write_encoder_variant
from regard_service.bundle import Bundle, Precision, Variant


def export_encoder(model: EncoderModel, output: Path, options: ExportOptions, on_stage: StageCallback) -> Bundle:
    """Writes a bundle that passed its verification, as `export` does for models that write text.

    Raises:
        VerificationFailed: a check did not keep its limit; nothing is written.
        ExportError: `output` is occupied, the disk has no room, another export to `output` is running, or an option
            has no meaning for the model.
    """
    if options.unit is not None:
        raise ExportError(f"--unit {options.unit}: models for {model.task} read whole texts")
    return_large_allocations()
    release_memory()
    refuse_unwritable(model, output, options)
    output.resolve().parent.mkdir(parents=True, exist_ok=True)
    with staging_folder(output, "export") as folder:
        refuse_occupied(output)  # another export may have ended since
        _write(model, folder, options, on_stage)
        refuse_occupied(output)  # another process may have written there since
        os.replace(folder, output.resolve())
    return Bundle.load(output)


def _write(model: EncoderModel, folder: Path, options: ExportOptions, on_stage: StageCallback) -> None:
    """Builds, verifies and writes the bundle into a staging folder."""
    write_tokenizers(folder, model.tokenizers)
    precisions: list[Precision] = list(dict.fromkeys(options.precisions))

    def write_manifest(variants: Sequence[Variant], report: CheckReport | None = None) -> Bundle:
        verification = {} if report is None else report.to_json()
        return write_encoder_manifest(folder, model, variants, options.name, options.version, verification)

    on_stage("float32: building graphs")
    built: dict[Precision, Variant] = {"float32": write_encoder_variant(folder, model, "float32")}
    ranges = {}
    if set(precisions) & set(CALIBRATED_PRECISIONS):
        on_stage("float32: calibrating activation ranges")
        ranges = calibrate_encoder(model.architecture, write_manifest([built["float32"]]))
        release_memory()
    for precision in precisions:
        if precision not in built:
            on_stage(f"{precision}: building graphs")
            built[precision] = write_encoder_variant(folder, model, precision, ranges)
    candidate = write_manifest([built[precision] for precision in dict.fromkeys([*precisions, "float32"])])
    report = EncoderVerifier(candidate, model.reference, on_stage).run()
    if report.failures and not options.is_mismatch_allowed:
        raise VerificationFailed(report)
    on_stage("writing the bundle")
    if "float32" not in precisions:
        shutil.rmtree(folder / "float32")
    write_manifest([built[precision] for precision in precisions], report)
