"""The Open Inference Protocol, from and to our own API and domain: docs/open-inference.md has the tensors.

A request becomes one of regard.v1, so that it is read, and refused, as every other.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from numpy.typing import NDArray

from regard.v1 import regard_pb2 as pb
from regard_service.bundle import Manifest
from regard_service.calls.options import Violations
from regard_service.domain import Result
from regard_service.errors import FieldViolation, InvalidInput
from regard_service.open_inference import open_inference_pb2 as v2

Datatype = Literal["BYTES", "FP32", "INT32"]
Request: TypeAlias = pb.TranslateRequest | pb.SummarizeRequest | pb.CaptionRequest

CONFIG_TYPES: dict[Datatype, v2.DataType.ValueType] = {
    "BYTES": v2.TYPE_STRING,
    "FP32": v2.TYPE_FP32,
    "INT32": v2.TYPE_INT32,
}
REQUESTS: dict[str, type[Request]] = {
    "translation": pb.TranslateRequest,
    "summarization": pb.SummarizeRequest,
    "captioning": pb.CaptionRequest,
}
# Parameters that are fields of the request, and fields of its GenerationConfig; enums go by the end of their names.
CALL_PARAMETERS = ("source_language", "target_language", "style", "truncation", "priority")
SEARCH_PARAMETERS = tuple(
    name
    for name, field in pb.GenerationConfig.DESCRIPTOR.fields_by_name.items()
    if name != "num_return_sequences"  # there is one row an input
)
# Triton's perf_analyzer sends it with every call; it is about the end of streams, which ModelInfer has none of.
IGNORED_PARAMETERS = ("triton_enable_empty_final_response",)
ATTENTION_OUTPUTS = {"alignment": pb.ATTENTION_KIND_ALIGNMENT, "cross_attention": pb.ATTENTION_KIND_CROSS}


@dataclass(frozen=True)
class Tensor:
    """A tensor by name, element type and shape; -1 is an axis whose length differs from request to request."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


def input_of(manifest: Manifest) -> Tensor:
    """A model's one input: an element a text, or a picture's whole file."""
    return Tensor("image" if manifest.task == "captioning" else "text", "BYTES", (-1,))


def outputs_of(manifest: Manifest) -> list[Tensor]:
    """What a model gives. The first axis is the input's, and shorter rows are padded."""
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


def write_metadata(manifest: Manifest) -> v2.ModelMetadataResponse:
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
    given = input_of(manifest)
    return v2.ModelConfig(
        name=manifest.name,
        platform="regard",
        max_batch_size=0,
        input=[v2.ModelInput(name=given.name, data_type=CONFIG_TYPES[given.datatype], dims=given.shape)],
        output=[
            v2.ModelOutput(name=tensor.name, data_type=CONFIG_TYPES[tensor.datatype], dims=tensor.shape)
            for tensor in outputs_of(manifest)
        ],
    )


def read_outputs(request: v2.ModelInferRequest, manifest: Manifest) -> list[Tensor]:
    """The outputs to give, in the order asked; all of them where none is named.

    Raises:
        InvalidInput: an output that the model does not have, or one named twice.
    """
    offered = {tensor.name: tensor for tensor in outputs_of(manifest)}
    violations = Violations()
    names = [output.name for output in request.outputs]
    for index, name in enumerate(names):
        if name not in offered:
            violations.add(f"outputs[{index}]", f"there is no output {name!r}; there are {', '.join(offered)}")
        elif name in names[:index]:
            violations.add(f"outputs[{index}]", f"{name!r} is named more than once")
        if request.outputs[index].parameters:
            violations.add(f"outputs[{index}].parameters", "none are known")
    violations.raise_if_any()
    return [offered[name] for name in names] or list(offered.values())


def read_request(request: v2.ModelInferRequest, manifest: Manifest, outputs: Sequence[Tensor]) -> Request:
    """The same request in our own API.

    Raises:
        InvalidInput: what cannot be said in it; what is said and out of bounds, whoever reads it will find.
    """
    violations = Violations()
    version = f"@{request.model_version}" if request.model_version else ""
    kinds = [ATTENTION_OUTPUTS[tensor.name] for tensor in outputs if tensor.name in ATTENTION_OUTPUTS]
    ours = REQUESTS[manifest.task](model=request.model_name + version, attention=pb.AttentionConfig(kinds=kinds))
    try:
        elements = _elements(request, input_of(manifest))
        if isinstance(ours, pb.CaptionRequest):
            ours.images.extend(elements)
        else:
            ours.texts.extend(element.decode() for element in elements)
    except UnicodeDecodeError:
        violations.add("inputs[0]", "holds text that is not UTF-8")
    except ValueError as error:
        violations.add("inputs[0]", str(error))
    for name, value in request.parameters.items():
        if name not in IGNORED_PARAMETERS:
            _set_parameter(ours, name, value, violations)
    violations.raise_if_any()
    return ours


def as_theirs(error: InvalidInput) -> InvalidInput:
    """The violations of our request by the names of theirs."""
    names = {"texts": "inputs[0]", "images": "inputs[0]", "generation": "parameters"}

    def renamed(field: str) -> str:
        for ours, theirs in names.items():
            if field.startswith(ours):
                return theirs + field.removeprefix(ours)
        return f"parameters.{field}" if field in CALL_PARAMETERS else field

    return InvalidInput([FieldViolation(renamed(v.field), v.description) for v in error.violations])


def _elements(request: v2.ModelInferRequest, expected: Tensor) -> list[bytes]:
    """The elements of the one input; raises ValueError where there is none such."""
    if [tensor.name for tensor in request.inputs] != [expected.name]:
        raise ValueError(f"there must be one input, {expected.name!r}")
    (tensor,) = request.inputs
    if tensor.datatype != expected.datatype:
        raise ValueError(f"its datatype must be {expected.datatype}; it is {tensor.datatype!r}")
    if len(tensor.shape) != 1:
        raise ValueError(f"it must have one axis; its shape is {list(tensor.shape)}")
    if request.raw_input_contents and tensor.HasField("contents"):
        raise ValueError("its elements are given twice, raw and not")
    if len(request.raw_input_contents) > 1:
        raise ValueError(f"there are {len(request.raw_input_contents)} raw contents for one input")
    raw = request.raw_input_contents
    elements = read_bytes_tensor(raw[0]) if raw else list(tensor.contents.bytes_contents)
    if len(elements) != tensor.shape[0]:
        raise ValueError(f"its shape is {list(tensor.shape)}, and it has {len(elements)} elements")
    return elements


def read_bytes_tensor(raw: bytes) -> list[bytes]:
    """Elements that each have their length before them, as little-endian uint32; raises ValueError."""
    elements, position = [], 0
    while position < len(raw):
        if position + 4 > len(raw):
            raise ValueError("its raw contents end within a length")
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4 + length
        if position > len(raw):
            raise ValueError("its raw contents end within an element")
        elements.append(raw[position - length : position])
    return elements


def _set_parameter(ours: Request, name: str, value: v2.InferParameter, violations: Violations) -> None:
    chosen = value.WhichOneof("parameter_choice")
    given = getattr(value, chosen) if chosen else None
    in_generation = name in SEARCH_PARAMETERS
    target: Any = ours.generation if in_generation else ours
    field = target.DESCRIPTOR.fields_by_name.get(name) if in_generation or name in CALL_PARAMETERS else None
    if field is None:
        known = [p for p in CALL_PARAMETERS if p in ours.DESCRIPTOR.fields_by_name]
        violations.add(f"parameters.{name}", f"is not known; there are {', '.join((*known, *SEARCH_PARAMETERS))}")
        return
    try:
        setattr(target, name, _field_value(field, given))
    except (TypeError, ValueError, KeyError):
        violations.add(f"parameters.{name}", f"cannot be {given!r}")


def _field_value(field: FieldDescriptor, given: object) -> object:
    """A parameter as the field takes it; an enum's value by the end of its name, in small letters ("reject")."""
    if isinstance(given, bool):
        raise TypeError("no parameter is a truth value")
    if field.enum_type is not None:
        by_name = {_short(value.name, field.enum_type.name): value.number for value in field.enum_type.values}
        return by_name[str(given)]
    return given


def _short(name: str, enum: str) -> str:
    """The end of an enum value's name: of EarlyStopping's EARLY_STOPPING_FIRST it is "first"."""
    prefix = "".join("_" + letter if letter.isupper() else letter for letter in enum).lstrip("_").upper()
    return name.removeprefix(prefix + "_").lower()


def write_answer(
    request: v2.ModelInferRequest, outputs: Sequence[Tensor], results: Sequence[Result]
) -> v2.ModelInferResponse:
    """The answer, elements raw. A row is the best hypothesis of an input."""
    answer = v2.ModelInferResponse(model_name=results[0].model, model_version=results[0].version, id=request.id)
    for tensor in outputs:
        values = _VALUES[tensor.name](results)
        answer.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=values.shape)
        answer.raw_output_contents.append(_raw(values))
    return answer


def _raw(values: NDArray[Any]) -> bytes:
    """Row by row; numbers little-endian, texts with their length before them."""
    if values.dtype != object:
        return values.astype(values.dtype.newbyteorder("<")).tobytes()
    return b"".join(struct.pack("<I", len(element)) + element for element in values.reshape(-1))


def _text(results: Sequence[Result]) -> NDArray[Any]:
    return _padded([np.asarray([result.hypotheses[0].text.encode()], dtype=object) for result in results])[:, 0]


def _score(results: Sequence[Result]) -> NDArray[Any]:
    return np.asarray([result.hypotheses[0].score for result in results], dtype=np.float32)


def _num_tokens(results: Sequence[Result]) -> NDArray[Any]:
    return np.asarray([len(result.hypotheses[0].tokens) for result in results], dtype=np.int32)


def _tokens(results: Sequence[Result]) -> NDArray[Any]:
    return _padded([_pieces(result.hypotheses[0].tokens) for result in results])


def _source_tokens(results: Sequence[Result]) -> NDArray[Any]:
    return _padded([_pieces(result.source.tokens) for result in results])


def _map(kind: str) -> Callable[[Sequence[Result]], NDArray[Any]]:
    def values(results: Sequence[Result]) -> NDArray[Any]:
        return _padded([next(m.values for m in r.hypotheses[0].maps if m.kind == kind) for r in results])

    return values


def _pieces(tokens: Sequence[Any]) -> NDArray[Any]:
    return np.asarray([token.piece.encode() for token in tokens], dtype=object)


def _padded(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Rows of any lengths as one array; what a row lacks is 0, or the empty text."""
    shape = tuple(max(lengths) for lengths in zip(*(row.shape for row in rows), strict=True))
    together = np.full((len(rows), *shape), b"" if rows[0].dtype == object else 0, dtype=rows[0].dtype)
    for index, row in enumerate(rows):
        together[index][tuple(slice(length) for length in row.shape)] = row
    return together


_VALUES: Mapping[str, Callable[[Sequence[Result]], NDArray[Any]]] = {
    "text": _text,
    "score": _score,
    "num_tokens": _num_tokens,
    "tokens": _tokens,
    "source_tokens": _source_tokens,
    "alignment": _map("alignment"),
    "cross_attention": _map("cross"),
}
