"""Writes the graphs of a precision, a variant of a bundle, with their weights in one file."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from onnx import load_model, save_model

from regard_export.architectures.architecture import Architecture, Listable, has_int8_weights, has_trace, is_traced
from regard_export.checkpoints.encoder_model import EncoderModel
from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.onnx_graph.contract import SOURCE_LENGTHS, BuiltGraph
from regard_export.onnx_graph.novelty import NOVELTY_SPEC, NoveltyModel, add_novelty
from regard_export.onnx_graph.weights_file import WeightsFile
from regard_export.precision.float16 import to_float16
from regard_export.precision.layer_builders import PrecisionBuilders
from regard_export.precision.precision_builders import PRECISION_BUILDERS, builders_for
from regard_export.precision.quantization import ActivationRange
from regard_export.precision.stored_weights import with_weights_file
from regard_export.resources.memory import release_memory
from regard_service.bundle import GraphSpec, Precision, Provider, Variant

WEIGHTS_FILE = "weights.bin"
MAX_GRAPH_BYTES = 2**31 - 1  # protobuf's limit; weights do not count, since they are in a separate file


def write_variant(
    folder: Path, model: SourceModel, precision: Precision, ranges: Mapping[str, ActivationRange] | None = None
) -> Variant:
    """Writes the graphs of one precision into a subfolder.

    Args:
        ranges: from `calibrate`, for a precision that uses them.

    Raises:
        ExportError: the precision is not available for the model, or a graph is too large.
    """
    refuse_unavailable_precisions(model, [precision])
    (folder / precision).mkdir()
    if precision == "float16":
        return _write_float16(folder, model)
    architecture = model.architecture
    builders = _builders(architecture, precision, ranges or {})
    with WeightsFile(folder / precision / WEIGHTS_FILE) as weights:
        builders = PrecisionBuilders(
            with_weights_file(builders.encode, weights), with_weights_file(builders.step, weights)
        )
        encode = _save(folder, f"{precision}/encode.onnx", architecture.encode(builders.encode), weights)
        release_memory()
        step = _save(folder, f"{precision}/step.onnx", architecture.step(builders.step), weights)
        trace = None
        if has_trace(architecture):
            release_memory()
            trace = _save(folder, f"{precision}/trace.onnx", architecture.trace(builders), weights)
        select = listed_step = None
        if model.shortlist and isinstance(architecture, Listable) and builders.step.listed is not None:
            release_memory()
            select = _save(folder, f"{precision}/select.onnx", architecture.select(builders.step), weights)
            listed_step = _save(
                folder, f"{precision}/listed_step.onnx", architecture.listed_step(builders.step), weights
            )
    release_memory()
    return Variant(
        precision=precision,
        providers=("CPUExecutionProvider",),
        encode=encode,
        step=step,
        trace=trace,
        select=select,
        listed_step=listed_step,
        narrow_weights=precision in ("int8", "int4") and not has_int8_weights(architecture),
    )


def write_encoder_variant(
    folder: Path, model: EncoderModel, precision: Precision, ranges: Mapping[str, ActivationRange] | None = None
) -> Variant:
    """Writes the graphs of one precision of a model without a decoder; arguments and errors as of `write_variant`."""
    (folder / precision).mkdir()
    architecture, builders = model.architecture, builders_for(precision, ranges or {})
    is_half, trace = precision == "float16", None
    with WeightsFile(folder / precision / WEIGHTS_FILE) as weights:
        own = PrecisionBuilders(with_weights_file(builders.encode, weights), with_weights_file(builders.step, weights))
        built = architecture.encode(builders.encode if is_half else own.encode)
        encode = _save(folder, f"{precision}/encode.onnx", to_float16(built) if is_half else built, weights)
        if is_traced(architecture) and not is_half:
            release_memory()
            trace = _save(folder, f"{precision}/trace.onnx", architecture.trace(own), weights)
    release_memory()
    return Variant(
        precision=precision,
        providers=("CUDAExecutionProvider", "CPUExecutionProvider") if is_half else ("CPUExecutionProvider",),
        encode=encode,
        trace=trace,
        narrow_weights=precision in ("int8", "int4"),
    )


def write_novelty(folder: Path, variant: Variant, learned: NoveltyModel, *, has_lengths: bool) -> Variant:
    """Adds the output `novelty` to a written variant's encode graph.

    Args:
        has_lengths: whether the graph's sources differ in length.
    """
    spec = variant.encode
    model = load_model(folder / spec.file, load_external_data=False)
    add_novelty(model, learned, has_lengths=has_lengths)
    save_model(model, folder / spec.file)
    is_new = has_lengths and SOURCE_LENGTHS not in spec.inputs
    inputs = (*spec.inputs, SOURCE_LENGTHS) if is_new else spec.inputs
    encode = spec.model_copy(update={"inputs": inputs, "outputs": (*spec.outputs, NOVELTY_SPEC)})
    return variant.model_copy(update={"encode": encode})


def _builders(
    architecture: Architecture, precision: Precision, ranges: Mapping[str, ActivationRange]
) -> PrecisionBuilders:
    if precision == "int8" and has_int8_weights(architecture):
        return architecture.int8_builders()
    return builders_for(precision, ranges)


def refuse_unavailable_precisions(model: SourceModel | EncoderModel, precisions: Iterable[Precision]) -> None:
    """Raises ExportError if a precision is not available for the model."""
    if "float16" in precisions and isinstance(model, SourceModel) and model.target.copies:
        raise ExportError(
            f"float16 is not offered for models that copy words, such as {model.family}: their graphs sum the "
            "probabilities of generating and of copying a word, in float32 alone"
        )


def _write_float16(folder: Path, model: SourceModel) -> Variant:
    """For GPUs; CPUs run it too, slowly. It has no trace graph."""
    builders, architecture = PRECISION_BUILDERS["float16"], model.architecture
    with WeightsFile(folder / "float16" / WEIGHTS_FILE) as weights:
        encode = _save(folder, "float16/encode.onnx", to_float16(architecture.encode(builders.encode)), weights)
        step = _save(folder, "float16/step.onnx", to_float16(architecture.step(builders.step)), weights)
    providers: tuple[Provider, ...] = ("CUDAExecutionProvider", "CPUExecutionProvider")
    return Variant(precision="float16", providers=providers, encode=encode, step=step)


def _save(folder: Path, file: str, graph: BuiltGraph, weights: WeightsFile) -> GraphSpec:
    uses_weights_file = weights.take_from(graph.model)
    if graph.model.ByteSize() > MAX_GRAPH_BYTES:
        raise ExportError(f"{file}, without its weights, is larger than {MAX_GRAPH_BYTES} bytes, which ONNX forbids")
    save_model(graph.model, folder / file)
    external_data = (str(Path(file).with_name(WEIGHTS_FILE)),) if uses_weights_file else ()
    return GraphSpec(file=file, inputs=graph.inputs, outputs=graph.outputs, external_data=external_data)
