"""Reads requests of the Open Inference Protocol as requests of regard.v1."""

import math
import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from regard.v1 import regard_pb2 as pb
from regard_service.bundle import Manifest
from regard_service.convert.open_inference.tensors import Tensor, inputs_of, outputs_of
from regard_service.errors import InvalidInput, Unsupported
from regard_service.open_inference import open_inference_pb2 as v2
from regard_service.validation.texts import NOT_UTF8
from regard_service.validation.violations import Violations

OwnRequest: TypeAlias = (
    pb.TranslateRequest
    | pb.SummarizeRequest
    | pb.CaptionRequest
    | pb.EncodeRequest
    | pb.ClassifyRequest
    | pb.DetectRequest
    | pb.AnswerRequest
)

OWN_REQUESTS: dict[str, type[OwnRequest]] = {
    "translation": pb.TranslateRequest,
    "summarization": pb.SummarizeRequest,
    "captioning": pb.CaptionRequest,
    "encoding": pb.EncodeRequest,
    "classification": pb.ClassifyRequest,
    "detection": pb.DetectRequest,
    "answering": pb.AnswerRequest,
}
# Parameters: fields of the request, of its TextOptions and of its GenerationConfig. An enum's value is the end of its
# name.
CALL_PARAMETERS = ("source_language", "target_language", "style", "truncation", "priority", "pooling", "normalized")
DETECTION_PARAMETERS = ("top_k", "threshold")
TEXT_PARAMETERS = ("format", "unit", "raw")
GENERATION_PARAMETERS = tuple(
    name
    for name, field in pb.GenerationConfig.DESCRIPTOR.fields_by_name.items()
    if name != "num_return_sequences"  # each input has one row
)
# Triton's perf_analyzer sends it with every call. It concerns the end of streams, which ModelInfer has none of.
IGNORED_PARAMETERS = ("triton_enable_empty_final_response",)
ATTENTION_OUTPUTS = {"alignment": pb.ATTENTION_KIND_ALIGNMENT, "cross_attention": pb.ATTENTION_KIND_CROSS}


def read_outputs(request: v2.ModelInferRequest, manifest: Manifest) -> list[Tensor]:
    """Returns the outputs that a request names, in its order; all outputs if it names none.

    Raises:
        InvalidInput: the model has no such output, or the request names one twice.
        Unsupported: the model has none in this protocol.
    """
    if not outputs_of(manifest):
        raise Unsupported(f"model {manifest.name!r} has no outputs in this protocol; regard.v1 has them")
    offered = {tensor.name: tensor for tensor in outputs_of(manifest)}
    violations = Violations()
    if len(request.outputs) > len(offered):
        raise InvalidInput.of("outputs", f"names {len(request.outputs)}; the model has {len(offered)}")
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


def read_request(
    request: v2.ModelInferRequest, manifest: Manifest, outputs: Sequence[Tensor], max_inputs: float = math.inf
) -> OwnRequest:
    """Returns the same request in this server's own API, whose reader checks the bounds.

    Args:
        max_inputs: of raw contents, no more than so many elements are read.

    Raises:
        InvalidInput: parts of the request have no counterpart there.
    """
    violations = Violations()
    version = f"@{request.model_version}" if request.model_version else ""
    kinds = [ATTENTION_OUTPUTS[tensor.name] for tensor in outputs if tensor.name in ATTENTION_OUTPUTS]
    own = OWN_REQUESTS[manifest.task](model=request.model_name + version, attention=pb.AttentionConfig(kinds=kinds))
    _read_inputs(request, own, inputs_of(manifest), max_inputs, violations)
    for name, value in request.parameters.items():
        if name not in IGNORED_PARAMETERS:
            _set_parameter(own, name, value, violations)
    violations.raise_if_any()
    return own


def _read_inputs(
    request: v2.ModelInferRequest,
    own: OwnRequest,
    expected: Sequence[Tensor],
    max_inputs: float,
    violations: Violations,
) -> None:
    """Adds the elements of the inputs to the fields of their kinds."""
    names = [tensor.name for tensor in request.inputs]
    if sorted(names) != sorted(tensor.name for tensor in expected):
        known = " and ".join(repr(tensor.name) for tensor in expected)
        count = "one input" if len(expected) == 1 else f"{len(expected)} inputs"
        violations.add("inputs[0]", f"there must be {count}, {known}")
        return
    for tensor in expected:
        index = names.index(tensor.name)
        try:
            elements = _elements(request, index, tensor, max_inputs)
            if tensor.name == "image":
                _field_of(own, "images").extend(elements)
            else:
                _field_of(own, f"{tensor.name}s").extend(element.decode() for element in elements)
        except UnicodeDecodeError:
            violations.add(f"inputs[{index}]", NOT_UTF8)
        except ValueError as error:
            violations.add(f"inputs[{index}]", str(error))


def _field_of(own: OwnRequest, name: str) -> Any:
    """The repeated field of a request that takes an input's elements."""
    return getattr(own, name)


def as_open_inference_error(error: InvalidInput) -> InvalidInput:
    """Returns the violations of a request of regard.v1 with the paths of the Open Inference Protocol's request."""
    paths = {"texts": "inputs[0]", "images": "inputs[0]", "questions": "inputs[1]", "generation": "parameters"}

    def renamed(field: str) -> str:
        for own, path in paths.items():
            if field.startswith(own):
                return path + field.removeprefix(own)
        name = field.removeprefix("text_options.")
        is_parameter = name in (*CALL_PARAMETERS, *TEXT_PARAMETERS, *DETECTION_PARAMETERS)
        return f"parameters.{name}" if is_parameter else field

    return error.renamed(renamed)


def _elements(request: v2.ModelInferRequest, index: int, expected: Tensor, max_inputs: float) -> list[bytes]:
    """Returns the elements of an input; raises ValueError if they are not as expected."""
    tensor, raw = request.inputs[index], request.raw_input_contents
    if tensor.datatype != expected.datatype:
        raise ValueError(f"its datatype must be {expected.datatype}; it is {tensor.datatype!r}")
    if len(tensor.shape) != 1:
        raise ValueError(f"it must have one axis; its shape is {list(tensor.shape)}")
    if raw and tensor.HasField("contents"):
        raise ValueError("its elements are given twice, raw and not")
    if raw and len(raw) != len(request.inputs):
        count = "one input" if len(request.inputs) == 1 else f"{len(request.inputs)} inputs"
        raise ValueError(f"there are {len(raw)} raw contents for {count}")
    elements = read_bytes_tensor(raw[index], max_inputs) if raw else list(tensor.contents.bytes_contents)
    if len(elements) != tensor.shape[0]:
        raise ValueError(f"its shape is {list(tensor.shape)}, and it has {len(elements)} elements")
    return elements


def read_bytes_tensor(raw: bytes, max_elements: float = math.inf) -> list[bytes]:
    """Splits raw contents into elements, each after its length as little-endian uint32.

    Raises:
        ValueError: they end within an element, or have more than `max_elements`.
    """
    elements: list[bytes] = []
    position = 0
    while position < len(raw):
        if len(elements) >= max_elements:
            raise ValueError(f"its raw contents have more than {max_elements} elements, the limit of inputs")
        if position + 4 > len(raw):
            raise ValueError("its raw contents end within a length")
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4 + length
        if position > len(raw):
            raise ValueError("its raw contents end within an element")
        elements.append(raw[position - length : position])
    return elements


def _set_parameter(own: OwnRequest, name: str, value: v2.InferParameter, violations: Violations) -> None:
    choice = value.WhichOneof("parameter_choice")
    given = getattr(value, choice) if choice else None
    target = _holder(own, name)
    field = None if target is None else target.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        known = [p for p in CALL_PARAMETERS if p in own.DESCRIPTOR.fields_by_name]
        known += TEXT_PARAMETERS if isinstance(own, pb.TranslateRequest) else ()
        known += DETECTION_PARAMETERS if isinstance(own, pb.DetectRequest) else ()
        known += GENERATION_PARAMETERS if "generation" in own.DESCRIPTOR.fields_by_name else ()
        violations.add(f"parameters.{name}", f"is not known; there are {', '.join(known)}")
        return
    try:
        setattr(target, name, _field_value(field, given))
    except (TypeError, ValueError, KeyError):
        violations.add(f"parameters.{name}", f"cannot be {given!r}; it must be {_expected(field)}")


def _expected(field: FieldDescriptor) -> str:
    """Describes the values that a parameter may have."""
    if field.enum_type is not None:
        return f"a text, one of {', '.join(_numbers(field.enum_type))}"
    if field.type == FieldDescriptor.TYPE_INT32:
        return f"a whole number in [{-(2**31)}, {2**31 - 1}]"
    return {FieldDescriptor.TYPE_BOOL: "a boolean", FieldDescriptor.TYPE_STRING: "a text"}.get(field.type, "a number")


def _numbers(enum: EnumDescriptor) -> dict[str, int]:
    """Returns the numbers of an enum's values by the ends of their names, in small letters ("reject")."""
    return {_short(value.name, enum.name): value.number for value in enum.values}


def _holder(own: OwnRequest, name: str) -> Any:
    """Returns the message that a parameter is a field of; None for an unknown one."""
    if isinstance(own, pb.DetectRequest):
        return own if name in (*CALL_PARAMETERS, *DETECTION_PARAMETERS) else None
    if name in GENERATION_PARAMETERS:
        return None if isinstance(own, pb.EncodeRequest | pb.ClassifyRequest | pb.AnswerRequest) else own.generation
    if name in TEXT_PARAMETERS:
        return own.text_options if isinstance(own, pb.TranslateRequest) else None
    return own if name in CALL_PARAMETERS else None


def _field_value(field: FieldDescriptor, given: object) -> object:
    """Returns a parameter as the field's type."""
    if isinstance(given, bool) != (field.type == FieldDescriptor.TYPE_BOOL):
        raise TypeError("a boolean is no number, and no number is a boolean")
    if field.enum_type is not None:
        return _numbers(field.enum_type)[str(given)]
    return given


def _short(name: str, enum: str) -> str:
    """Returns the end of an enum value's name: "first" for EarlyStopping's EARLY_STOPPING_FIRST."""
    prefix = "".join("_" + letter if letter.isupper() else letter for letter in enum).lstrip("_").upper()
    return name.removeprefix(prefix + "_").lower()
