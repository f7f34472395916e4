"""Writes a bundle: graphs of every precision, tokenizers and, last, the manifest."""

import importlib.metadata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from onnx import save_model
from pydantic import ValidationError
from regard_service.bundle import AttentionLayout, Bundle, GraphSpec, Manifest, Precision, Provenance, Provider, Variant

from regard_export.architectures.architecture import as_traceable
from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.onnx_graph.contract import Graph
from regard_export.onnx_graph.weights_file import WeightsFile, stored
from regard_export.precision.float16 import to_float16
from regard_export.precision.quantize import FORMS, Forms, Range, forms_of
from regard_export.resources.memory import give_memory_back
from regard_export.tuning.alignment_heads import AlignmentChoice

WEIGHTS = "weights.bin"
MAX_GRAPH_BYTES = 2**31 - 1  # of protobuf; weights do not count, being in a file of their own
FLOAT32_BYTES = 4


def write_graphs(
    folder: Path, model: SourceModel, precision: Precision, ranges: Mapping[str, Range] | None = None
) -> Variant:
    """Builds the graphs of one precision into a folder of its own, with one file of weights for all.

    Args:
        ranges: what `calibrate` found, for precisions that use it.
    """
    refuse_unoffered(model, [precision])
    (folder / precision).mkdir()
    forms, architecture = forms_of(precision, ranges or {}), model.architecture
    if precision == "float16":
        return _write_float16(folder, model)
    with WeightsFile(folder / precision / WEIGHTS) as weights:
        forms = Forms(stored(forms.encode, weights), stored(forms.step, weights))
        encode = _save(folder, f"{precision}/encode.onnx", architecture.encode(forms.encode), weights)
        give_memory_back()
        step = _save(folder, f"{precision}/step.onnx", architecture.step(forms.step), weights)
        trace, traceable = None, as_traceable(architecture)
        if traceable is not None:
            give_memory_back()
            trace = _save(folder, f"{precision}/trace.onnx", traceable.trace(forms), weights)
    give_memory_back()
    return Variant(
        precision=precision,
        providers=("CPUExecutionProvider",),
        encode=encode,
        step=step,
        trace=trace,
        narrow_weights=precision in ("int8", "int4"),
    )


def refuse_unoffered(model: SourceModel, precisions: Iterable[Precision]) -> None:
    """Raises ExportError if a precision is not for such a model."""
    if "float16" in precisions and model.target.copies:
        raise ExportError(
            f"float16 is not offered for models that copy words, such as {model.family}: their graphs sum the "
            "probabilities of what is said and what is copied, in float32 alone"
        )


def _write_float16(folder: Path, model: SourceModel) -> Variant:
    """For GPUs; CPUs run it too, slowly. There is no trace."""
    forms, architecture = FORMS["float16"], model.architecture
    with WeightsFile(folder / "float16" / WEIGHTS) as weights:
        encode = _save(folder, "float16/encode.onnx", to_float16(architecture.encode(forms.encode)), weights)
        step = _save(folder, "float16/step.onnx", to_float16(architecture.step(forms.step)), weights)
    providers: tuple[Provider, ...] = ("CUDAExecutionProvider", "CPUExecutionProvider")
    return Variant(precision="float16", providers=providers, encode=encode, step=step)


def write_tokenizers(folder: Path, model: SourceModel) -> None:
    for file, content in model.tokenizers.items():
        (folder / file).write_text(content, encoding="utf-8")


def write_manifest(
    folder: Path,
    model: SourceModel,
    variants: Sequence[Variant],
    *,
    name: str,
    version: str,
    verification: Mapping[str, Any],
    alignment: AlignmentChoice | None = None,
) -> Bundle:
    """Writes the manifest, with checksums of all that is there, and loads the bundle back.

    Args:
        alignment: what was found to align best; None takes what the model says.

    Raises:
        ExportError: the checkpoint says of itself what no manifest may hold.
    """
    try:
        manifest = _manifest(model, variants, name, version, verification, alignment)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))} {e['input']!r}: {e['msg']}" for e in error.errors())
        raise ExportError(f"what the checkpoint says cannot be served: {faults}") from error
    return Bundle.write_manifest(folder, manifest)


def _manifest(
    model: SourceModel,
    variants: Sequence[Variant],
    name: str,
    version: str,
    verification: Mapping[str, Any],
    alignment: AlignmentChoice | None,
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
        # A document's beginning tells what it is about; of a translation every sentence is wanted.
        default_truncation="truncate" if model.task == "summarization" else "reject",
        num_parameters=model.architecture.nbytes // FLOAT32_BYTES,
        generation=model.generation,
        attention=_attention(model, alignment),
        memory=model.architecture.memory,
        state=model.architecture.state,
        variants=tuple(variants),
        provenance=_exported_now(model.provenance),
        scores=dict(model.scores),
        verification=dict(verification),
        files={},
    )


def _exported_now(provenance: Provenance) -> Provenance:
    try:
        version = importlib.metadata.version("regard")
    except importlib.metadata.PackageNotFoundError:  # run from a folder of sources
        version = ""
    now = datetime.now(UTC).replace(microsecond=0)
    return provenance.model_copy(update={"exporter_version": version, "export_time": now})


def _attention(model: SourceModel, alignment: AlignmentChoice | None) -> AttentionLayout:
    architecture = model.architecture
    last = architecture.attention_layers - 1
    if alignment is not None:
        chosen, method = alignment.heads, alignment.method
    elif model.alignment_heads:
        chosen, method = model.alignment_heads, "mean of chosen heads"
    else:
        chosen = tuple((last, head) for head in range(architecture.attention_heads))
        method = "mean of all heads of the last layer"
    traceable = as_traceable(architecture)
    encoder = (traceable.encoder_layers, traceable.encoder_heads) if traceable is not None else (0, 0)
    return AttentionLayout(
        layers=architecture.attention_layers,
        heads=architecture.attention_heads,
        encoder_layers=encoder[0],
        encoder_heads=encoder[1],
        alignment_heads=chosen,
        alignment_method=method,
        alignment_shifted=alignment is not None and alignment.shifted,
    )


def _save(folder: Path, file: str, graph: Graph, weights: WeightsFile) -> GraphSpec:
    external = weights.take_from(graph.model)
    if graph.model.ByteSize() > MAX_GRAPH_BYTES:
        raise ExportError(f"{file}, without its weights, is larger than {MAX_GRAPH_BYTES} bytes, which ONNX forbids")
    save_model(graph.model, folder / file)
    external_data = (str(Path(file).with_name(WEIGHTS)),) if external else ()
    return GraphSpec(file=file, inputs=graph.inputs, outputs=graph.outputs, external_data=external_data)
