"""Writes the manifest of a bundle without a decoder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from regard_export.architectures.architecture import EncodingArchitecture, has_gates
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.writing.manifest import FLOAT32_BYTES, exported_now, unserved
from regard_service.bundle import AttentionLayout, Bundle, ImageSource, Manifest, Variant


def write_encoder_manifest(
    folder: Path,
    model: EncoderModel,
    variants: Sequence[Variant],
    name: str,
    version: str,
    verification: Mapping[str, Any],
) -> Bundle:
    """Writes the manifest, with checksums of the files in the folder, and loads the bundle.

    Args:
        verification: the report, or {}.

    Raises:
        ExportError: the checkpoint states a value that no manifest may hold.
    """
    architecture = model.architecture
    try:
        manifest = Manifest(
            name=name,
            version=version,
            task=model.task,
            family=model.family,
            description=model.summary,
            source=model.source,
            output=model.output,
            max_source_tokens=model.max_source_tokens,
            unit=None if isinstance(model.source, ImageSource) else "whole",
            num_parameters=architecture.nbytes // FLOAT32_BYTES,
            attention=_attention(architecture),
            memory=architecture.memory,
            variants=tuple(variants),
            provenance=exported_now(model.provenance),
            scores=dict(model.scores),
            verification=dict(verification),
            files={},
        )
    except ValidationError as error:
        raise unserved(error) from error
    return Bundle.write_manifest(folder, manifest)


def _attention(architecture: EncodingArchitecture) -> AttentionLayout:
    """The alignment of queries is the mean of all heads of the last layer."""
    layers, heads = architecture.query_layers, architecture.query_heads if architecture.query_layers else 0
    gates = {}
    if has_gates(architecture):
        gates = {
            "channel_layers": architecture.channel_layers,
            "channels": architecture.channels if architecture.channel_layers else 0,
            "spatial_layers": architecture.spatial_layers,
        }
    return AttentionLayout(
        layers=layers,
        heads=heads,
        encoder_layers=architecture.encoder_layers,
        encoder_heads=architecture.encoder_heads if architecture.encoder_layers else 0,
        alignment_heads=tuple((layers - 1, head) for head in range(heads)),
        **gates,
    )
