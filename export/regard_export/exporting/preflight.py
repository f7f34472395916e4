"""Checks that an export can be written, before it does any work."""

import os
import shutil
from pathlib import Path

from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.exporting.options import ExportOptions
from regard_export.writing.variants import refuse_unavailable_precisions
from regard_service.bundle import Precision

# Sizes of graphs relative to the float32 weights. Quantized tied embeddings are stored twice, in two layouts.
RELATIVE_SIZES: dict[Precision, float] = {"float32": 1.0, "float16": 0.5, "int8": 0.4, "int4": 0.3}
TOKENIZER_BYTES = 2**24  # a generous estimate, manifest included


def refuse_occupied(output: Path) -> None:
    """Raises ExportError if `output` is anything but a new or empty folder."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ExportError(f"{output} exists and is not an empty folder")


def refuse_unwritable(model: SourceModel | EncoderModel, output: Path, options: ExportOptions) -> None:
    """Raises ExportError if `output` is occupied, a precision is unavailable, or the disk has no room."""
    refuse_occupied(output)
    refuse_unavailable_precisions(model, options.precisions)
    parent = next(folder for folder in output.resolve().parents if folder.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        fault = "not writable" if parent.is_dir() else "no folder"
        raise ExportError(f"{output} cannot be made: {parent} is {fault}")
    needed, free = expected_export_bytes(model, options), shutil.disk_usage(parent).free
    if free < needed:
        raise ExportError(f"no room for the bundle in {parent}: {free >> 20} MiB are free, {needed >> 20} needed")


def expected_export_bytes(model: SourceModel | EncoderModel, options: ExportOptions) -> int:
    """Disk space during an export: the graphs of all precisions, float32 always among them, and the tokenizers."""
    return sum(expected_variant_bytes(model, p) for p in {*options.precisions, "float32"}) + TOKENIZER_BYTES


def expected_variant_bytes(model: SourceModel | EncoderModel, precision: Precision) -> int:
    """Approximate size of a precision's graphs."""
    return int(model.architecture.nbytes * RELATIVE_SIZES[precision])
