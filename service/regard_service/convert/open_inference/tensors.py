"""The tensors of a model: its input and its outputs, with the messages that describe them."""

from dataclasses import dataclass
from typing import Literal

from regard_service.bundle import BoxesOutput, ImageSource, LabelsOutput, Manifest, Output, VectorOutput
from regard_service.open_inference import open_inference_pb2 as v2

Datatype = Literal["BYTES", "FP32", "INT32"]

CONFIG_TYPES: dict[Datatype, v2.DataType.ValueType] = {
    "BYTES": v2.TYPE_STRING,
    "FP32": v2.TYPE_FP32,
    "INT32": v2.TYPE_INT32,
}


@dataclass(frozen=True)
class Tensor:
    """A tensor by name, element type and shape; -1 is an axis whose length differs between requests."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


def input_of(manifest: Manifest) -> Tensor:
    """Returns a model's one input: each element is a text, or the whole file of a picture."""
    return Tensor("image" if isinstance(manifest.source, ImageSource) else "text", "BYTES", (-1,))


def outputs_of(manifest: Manifest) -> list[Tensor]:
    """Returns a model's outputs. The first axis is the input's; shorter rows are padded."""
    if not manifest.has_decoder:
        return _outputs_of_one_step(manifest.output)
    layout = manifest.attention
    source = [] if manifest.task == "captioning" else [Tensor("source_tokens", "BYTES", (-1, -1))]
    return [
        Tensor("text", "BYTES", (-1,)),
        Tensor("score", "FP32", (-1,)),
        Tensor("num_tokens", "INT32", (-1,)),
        Tensor("tokens", "BYTES", (-1, -1)),
        *source,
        Tensor("alignment", "FP32", (-1, -1, -1)),
        Tensor("cross_attention", "FP32", (-1, layout.layers, layout.heads, -1, -1)),
    ]


def _outputs_of_one_step(output: Output) -> list[Tensor]:
    """Returns the outputs of a model without a decoder; none for a model that labels tokens or fills masks."""
    match output:
        case VectorOutput():
            return [Tensor("vector", "FP32", (-1, output.width)), Tensor("num_tokens", "INT32", (-1,))]
        case LabelsOutput(of="source"):
            return [Tensor("label", "BYTES", (-1,)), Tensor("probabilities", "FP32", (-1, len(output.labels)))]
        case BoxesOutput():
            return [
                Tensor("num_boxes", "INT32", (-1,)),
                Tensor("boxes", "FP32", (-1, -1, 4)),
                Tensor("labels", "BYTES", (-1, -1)),
                Tensor("scores", "FP32", (-1, -1)),
            ]
        case _:
            return []


def write_metadata(manifest: Manifest) -> v2.ModelMetadataResponse:
    """Describes a model's tensors."""

    def metadata(tensor: Tensor) -> v2.ModelMetadataResponse.TensorMetadata:
        return v2.ModelMetadataResponse.TensorMetadata(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)

    return v2.ModelMetadataResponse(
        name=manifest.name,
        versions=[manifest.version],
        platform="regard",
        inputs=[metadata(input_of(manifest))],
        outputs=map(metadata, outputs_of(manifest)),
    )


def write_config(manifest: Manifest) -> v2.ModelConfig:
    """Describes a model's tensors in Triton's form."""
    source = input_of(manifest)
    return v2.ModelConfig(
        name=manifest.name,
        platform="regard",
        max_batch_size=0,
        input=[v2.ModelInput(name=source.name, data_type=CONFIG_TYPES[source.datatype], dims=source.shape)],
        output=[
            v2.ModelOutput(name=tensor.name, data_type=CONFIG_TYPES[tensor.datatype], dims=tensor.shape)
            for tensor in outputs_of(manifest)
        ],
    )
