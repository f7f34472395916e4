"""Reads requests of the Open Inference Protocol over HTTP: JSON, with tensors in it or, as bytes, behind it."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regard_service.errors import InvalidInput
from regard_service.open_inference import open_inference_pb2 as v2
from regard_service.validation.violations import Violations

MAX_TENSORS = 16
"""Of a request. Every model has one input, and fewer outputs."""

MAX_AXES = 8
MAX_SHOWN = 80
_INT64 = range(-(2**63), 2**63)

_MEMBERS = ("id", "inputs", "outputs", "parameters")
_IGNORED_MEMBERS = ("model_name", "model_version")
"""KServe's client repeats what the path says."""


@dataclass(frozen=True)
class HttpInferRequest:
    """A request, and which outputs are answered as bytes.

    Attributes:
        message: the same request of gRPC.
        as_bytes: by the names of outputs.
        all_as_bytes: those that `as_bytes` does not name.
    """

    message: v2.ModelInferRequest
    as_bytes: Mapping[str, bool]
    all_as_bytes: bool

    def is_binary(self, name: str) -> bool:
        """Whether an output is answered as bytes behind the JSON."""
        return self.as_bytes.get(name, self.all_as_bytes)


def split_body(body: bytes, header_length: str | None) -> tuple[bytes, bytes]:
    """Returns the JSON of a body, and the bytes behind it.

    Args:
        header_length: the header "Inference-Header-Content-Length"; None: the whole body is JSON.

    Raises:
        InvalidInput: it is no length of a part of the body.
    """
    if header_length is None:
        return body, b""
    if not (header_length.isascii() and header_length.isdigit()) or int(header_length[:20]) > len(body):
        fault = f"must be the length of the JSON, at most that of the body, {len(body)}; it is {header_length[:20]!r}"
        raise InvalidInput.of("inference-header-content-length", fault)
    length = int(header_length[:20])
    return body[:length], body[length:]


def read_infer_request(value: Any, binary: bytes, name: str, version: str) -> HttpInferRequest:
    """Reads a request.

    Args:
        value: its JSON.
        binary: the tensors behind it, in the order of the inputs.
        name, version: of the model, as the path says.

    Raises:
        InvalidInput: lists every violation.
    """
    if not isinstance(value, dict):
        raise InvalidInput.of("request", f"must be a JSON object; it is {_shown(value)}")
    violations = Violations()
    message = v2.ModelInferRequest(model_name=name, model_version=version)
    for member in value.keys() - {*_MEMBERS, *_IGNORED_MEMBERS}:
        violations.add(str(member)[:MAX_SHOWN], f"is not known; there are {', '.join(_MEMBERS)}")
    message.id = _text(value, "id", "id", violations)
    _read_inputs(message, _objects(value, "inputs", violations), binary, violations)
    as_bytes = _read_outputs(message, _objects(value, "outputs", violations), violations)
    parameters = dict(_object(value, "parameters", "parameters", violations))
    all_as_bytes = parameters.pop("binary_data_output", False)
    if not isinstance(all_as_bytes, bool):
        violations.add("parameters.binary_data_output", f"must be true or false; it is {_shown(all_as_bytes)}")
    _read_parameters(message.parameters, parameters, "parameters", violations)
    violations.raise_if_any()
    return HttpInferRequest(message, as_bytes, all_as_bytes is True)


def _read_inputs(
    message: v2.ModelInferRequest, inputs: Sequence[Mapping[str, Any]], binary: bytes, violations: Violations
) -> None:
    position = 0
    for index, given in enumerate(inputs):
        path = f"inputs[{index}]"
        tensor = message.inputs.add(name=_text(given, "name", f"{path}.name", violations))
        tensor.datatype = _text(given, "datatype", f"{path}.datatype", violations)
        tensor.shape.extend(_shape(given, f"{path}.shape", violations))
        parameters = dict(_object(given, "parameters", f"{path}.parameters", violations))
        size = parameters.pop("binary_data_size", None)
        _read_parameters(tensor.parameters, parameters, f"{path}.parameters", violations)
        if size is None:
            _read_data(tensor, given, path, violations)
            continue
        size = _size(size, len(binary) - position, f"{path}.parameters.binary_data_size", violations)
        if "data" in given:
            violations.add(f"{path}.data", "is given, and so is binary_data_size")
        message.raw_input_contents.append(binary[position : position + size])
        position += size
    if position < len(binary) and not violations.found:
        violations.add("inputs", f"take {position} bytes behind the JSON, and there are {len(binary)}")


def _size(value: Any, left: int, path: str, violations: Violations) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= left:
        violations.add(path, f"must be the bytes of the tensor, of which {left} are left; it is {_shown(value)}")
        return 0
    return value


def _read_data(tensor: Any, given: Mapping[str, Any], path: str, violations: Violations) -> None:
    if "data" not in given:
        violations.add(f"{path}.data", "is missing")
        return
    if tensor.datatype != "BYTES":
        return  # the model's input has another type, as its reader says
    for place, element in enumerate(_flat(given["data"])):
        if not isinstance(element, str):
            violations.add(f"{path}.data[{place}]", f"must be a text; it is {_shown(element)}")
            return
        try:
            tensor.contents.bytes_contents.append(_element(element, tensor.name))
        except ValueError:  # base64 raises it itself for signs beyond ASCII
            kind = "base64, as pictures have to be in JSON" if tensor.name == "image" else "text of whole characters"
            violations.add(f"{path}.data[{place}]", f"is no {kind}")
            return


def _element(element: str, name: str) -> bytes:
    """Returns an element's bytes: the file of a picture is base64, which JSON can hold."""
    return base64.b64decode(element, validate=True) if name == "image" else element.encode()


def _flat(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yields the elements of nested lists, row by row."""
    if isinstance(value, list) and depth < MAX_AXES:
        for each in value:
            yield from _flat(each, depth + 1)
    else:
        yield value


def _read_outputs(
    message: v2.ModelInferRequest, outputs: Sequence[Mapping[str, Any]], violations: Violations
) -> dict[str, bool]:
    as_bytes: dict[str, bool] = {}
    for index, given in enumerate(outputs):
        path = f"outputs[{index}]"
        tensor = message.outputs.add(name=_text(given, "name", f"{path}.name", violations))
        parameters = dict(_object(given, "parameters", f"{path}.parameters", violations))
        binary = parameters.pop("binary_data", None)
        if binary is not None and not isinstance(binary, bool):
            violations.add(f"{path}.parameters.binary_data", f"must be true or false; it is {_shown(binary)}")
        elif binary is not None:
            as_bytes[tensor.name] = binary
        _read_parameters(tensor.parameters, parameters, f"{path}.parameters", violations)
    return as_bytes


def _read_parameters(target: Any, given: Mapping[str, Any], path: str, violations: Violations) -> None:
    for name, value in given.items():
        if isinstance(value, bool):
            target[name].bool_param = value
        elif isinstance(value, int) and value in _INT64:
            target[name].int64_param = value
        elif isinstance(value, float):
            target[name].double_param = value
        elif isinstance(value, str):
            target[name].string_param = value
        else:
            violations.add(
                f"{path}.{name[:MAX_SHOWN]}", f"must be a text, a number or a boolean; it is {_shown(value)}"
            )


def _shape(given: Mapping[str, Any], path: str, violations: Violations) -> list[int]:
    value = given.get("shape")
    is_shape = isinstance(value, list) and len(value) <= MAX_AXES
    if not is_shape or not all(type(each) is int and each in _INT64 for each in value or ()):
        violations.add(path, f"must be a list of at most {MAX_AXES} whole numbers; it is {_shown(value)}")
        return []
    return list(value or ())


def _text(given: Mapping[str, Any], name: str, path: str, violations: Violations) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        violations.add(path, f"must be a text; it is {_shown(value)}")
        return ""
    return value


def _object(given: Mapping[str, Any], name: str, path: str, violations: Violations) -> Mapping[str, Any]:
    value = given.get(name)
    if value is not None and not isinstance(value, dict):
        violations.add(path, f"must be an object; it is {_shown(value)}")
        return {}
    return value or {}


def _objects(given: Mapping[str, Any], name: str, violations: Violations) -> list[Mapping[str, Any]]:
    value = given.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        violations.add(name, f"must be a list of objects; it is {_shown(value)}")
        return []
    if len(value) > MAX_TENSORS:
        violations.add(name, f"holds {len(value)} tensors; the limit is {MAX_TENSORS}")
        return []
    return value


def _shown(value: Any) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
