"""Writes responses of the Open Inference Protocol over HTTP: JSON, with tensors in it or, as bytes, behind it."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message

from regard_service.convert.open_inference.requests import read_bytes_tensor
from regard_service.errors import AnswerTooLarge
from regard_service.open_inference import open_inference_pb2 as v2

MAX_JSON_NUMBERS = 1 << 18
"""Of an answer: a number takes about a microsecond and, in JSON, twenty bytes."""

_NUMBERS = {"FP32": "<f4", "INT32": "<i4"}


def write_infer_response(response: v2.ModelInferResponse, is_binary: Callable[[str], bool]) -> tuple[bytes, int | None]:
    """Writes a response.

    Args:
        is_binary: whether an output, by its name, follows as bytes.

    Returns:
        The body, and the length of its JSON; None if the whole body is JSON.

    Raises:
        AnswerTooLarge: the tensors hold too many numbers for JSON.
    """
    numbers = sum(
        math.prod(tensor.shape)
        for tensor in response.outputs
        if tensor.datatype in _NUMBERS and not is_binary(tensor.name)
    )
    if numbers > MAX_JSON_NUMBERS:
        raise AnswerTooLarge.of(
            "outputs",
            f"hold {numbers} numbers; as JSON at most {MAX_JSON_NUMBERS} are sent: ask for binary_data, or name fewer",
        )
    outputs, tail = [], []
    for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        written: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if is_binary(tensor.name):
            written["parameters"] = {"binary_data_size": len(raw)}
            tail.append(raw)
        else:
            written["data"] = _elements(tensor.datatype, raw)
        outputs.append(written)
    head = {"model_name": response.model_name, "model_version": response.model_version, "outputs": outputs}
    written_head = _json({"id": response.id, **head} if response.id else head)
    return b"".join([written_head, *tail]), len(written_head) if tail else None


def write_message(message: Message) -> dict[str, Any]:
    """Returns metadata as JSON; whole numbers of 64 bits, such as lengths of axes, are numbers."""
    value: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=False
    )
    return {name: _with_numbers(each) for name, each in value.items()}


def _with_numbers(value: Any) -> Any:
    """Returns a value whose shapes are numbers: protobuf writes 64 bits as text."""
    if isinstance(value, list):
        return [_with_numbers(each) for each in value]
    if isinstance(value, dict):
        return {
            name: [int(axis) for axis in each] if name in ("shape", "dims") else _with_numbers(each)
            for name, each in value.items()
        }
    return value


def _elements(datatype: str, raw: bytes) -> list[Any]:
    """Returns a tensor's elements row by row. Numbers are the shortest decimals that are their float32."""
    if datatype == "BYTES":
        return [element.decode() for element in read_bytes_tensor(raw)]
    values = np.frombuffer(raw, _NUMBERS[datatype])
    return values.tolist() if datatype == "INT32" else [float(str(each)) for each in values]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
