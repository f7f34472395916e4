"""Exports a model of any kind."""

from pathlib import Path

from regard_export.checkpoints.any_model import AnyModel
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.exporting.encoder_export import export_encoder
from regard_export.exporting.export import export
from regard_export.exporting.options import ExportOptions
from regard_export.verification.verifier import StageCallback
from regard_service.bundle import Bundle


def export_any(model: AnyModel, output: Path, options: ExportOptions, on_stage: StageCallback) -> Bundle:
    """Writes a bundle that passed its verification; arguments and errors as of `export` and `export_encoder`."""
    if isinstance(model, EncoderModel):
        return export_encoder(model, output, options, on_stage)
    return export(model, output, options, on_stage)
