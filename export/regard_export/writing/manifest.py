"""Writes the tokenizers and, last, the manifest of a bundle."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from regard_export.architectures.architecture import has_trace
from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.tuning.alignment_heads import AlignmentChoice
from regard_export.writing.text_use import TextUse
from regard_service.bundle import (
    NOVELTY,
    AttentionLayout,
    Bundle,
    Confidence,
    Manifest,
    Provenance,
    TensorSpec,
    Variant,
)

FLOAT32_BYTES = 4
SHORTLIST_FILE = "shortlist.bin"


def write_tokenizers(folder: Path, tokenizers: Mapping[str, str]) -> None:
    """Writes the files that the manifest's source and target name."""
    for file, content in tokenizers.items():
        (folder / file).write_text(content, encoding="utf-8")


def write_shortlist(folder: Path, model: SourceModel) -> None:
    """Writes the shortlist, if the model has one."""
    if model.shortlist:
        (folder / SHORTLIST_FILE).write_bytes(model.shortlist)


def write_manifest(
    folder: Path,
    model: SourceModel,
    variants: Sequence[Variant],
    *,
    name: str,
    version: str,
    verification: Mapping[str, Any],
    alignment: AlignmentChoice | None = None,
    confidence: Mapping[str, Confidence] | None = None,
    text_use: TextUse | None = None,
) -> Bundle:
    """Writes the manifest, with checksums of the files in the folder, and loads the bundle.

    Args:
        verification: the report, or {}.
        alignment: the chosen heads; None keeps the heads that the model states.
        confidence: by target language, as learned from dev examples.
        text_use: None for a manifest that only the export reads.

    Raises:
        ExportError: the checkpoint states a value that no manifest may hold.
    """
    try:
        manifest = _manifest(model, variants, name, version, verification, alignment, text_use or TextUse())
        manifest = manifest.model_copy(update={"confidence": dict(confidence or {})})
    except ValidationError as error:
        raise unserved(error) from error
    return Bundle.write_manifest(folder, manifest)


def unserved(error: ValidationError) -> ExportError:
    """The error of a checkpoint that states what no manifest may hold: every field with its value."""
    faults = [
        f"{'.'.join(map(str, e['loc']))} {e['input']!r}: {e['msg']}"
        if e["loc"]
        else e["msg"].removeprefix("Value error, ")
        for e in error.errors()
    ]
    return ExportError(f"what the checkpoint says cannot be served: {'; '.join(faults)}")


def _manifest(
    model: SourceModel,
    variants: Sequence[Variant],
    name: str,
    version: str,
    verification: Mapping[str, Any],
    alignment: AlignmentChoice | None,
    text_use: TextUse,
) -> Manifest:
    return Manifest(
        name=name,
        version=version,
        task=model.task,
        family=model.family,
        description=model.summary,
        source_languages=model.source_languages,
        target_languages=model.target_languages,
        styles=model.styles,
        source=model.source,
        target=model.target,
        max_source_tokens=model.max_source_tokens,
        max_target_tokens=model.max_target_tokens,
        # The beginning of a document summarizes it; a translation must cover every sentence.
        default_truncation="truncate" if model.task == "summarization" else "reject",
        unit=text_use.unit,
        unit_tokens=text_use.unit_tokens,
        length_ratios=dict(text_use.length_ratios),
        num_parameters=model.architecture.nbytes // FLOAT32_BYTES,
        generation=model.generation,
        attention=_attention(model, alignment),
        memory=(*model.architecture.memory, *_novelty(variants)),
        state=model.architecture.state,
        shortlist=SHORTLIST_FILE if model.shortlist else None,
        variants=tuple(variants),
        provenance=exported_now(model.provenance),
        scores=dict(model.scores),
        verification=dict(verification),
        files={},
    )


def _novelty(variants: Sequence[Variant]) -> tuple[TensorSpec, ...]:
    """The memory that says how unlike the examples a source is, if the graphs have it."""
    every = [[spec for spec in variant.encode.outputs if spec.name == NOVELTY] for variant in variants]
    return tuple(every[0]) if all(every) else ()


def exported_now(provenance: Provenance) -> Provenance:
    """The provenance with the exporter's version and the time."""
    try:
        version = importlib.metadata.version("regard")
    except importlib.metadata.PackageNotFoundError:  # not installed, but run from its sources
        version = ""
    now = datetime.now(UTC).replace(microsecond=0)
    return provenance.model_copy(update={"exporter_version": version, "export_time": now})


def _attention(model: SourceModel, alignment: AlignmentChoice | None) -> AttentionLayout:
    architecture = model.architecture
    last = architecture.attention_layers - 1
    if alignment is not None:
        heads, method, is_shifted = alignment.heads, alignment.method, alignment.is_shifted
    elif model.alignment_heads:
        heads, method, is_shifted = model.alignment_heads, model.alignment_method, model.alignment_shifted
    else:
        heads = tuple((last, head) for head in range(architecture.attention_heads))
        method, is_shifted = "mean of all heads of the last layer", False
    encoder = (architecture.encoder_layers, architecture.encoder_heads) if has_trace(architecture) else (0, 0)
    return AttentionLayout(
        layers=model.architecture.attention_layers,
        heads=model.architecture.attention_heads,
        encoder_layers=encoder[0],
        encoder_heads=encoder[1],
        alignment_heads=heads,
        alignment_method=method,
        alignment_shifted=is_shifted,
    )
