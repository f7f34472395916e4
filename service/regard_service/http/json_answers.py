"""Messages as JSON: protobuf's own mapping with the field names of the .proto, maps also as lists of numbers."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard_service.errors import InvalidInput

Json = Any

# A weight takes about a microsecond and, in JSON, twenty bytes.
MAX_NESTED_WEIGHTS = 1 << 18

# What writes at most this much takes a millisecond or two.
MAX_BYTES_ON_EVENT_LOOP = 16 * 1024  # of the message
MAX_WEIGHTS_ON_EVENT_LOOP = 1 << 12

ITEMS_AT_ONCE = 64  # of a list: the encoder holds the interpreter

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def is_slow_to_write(message: Message, has_nested_maps: bool) -> bool:
    """Whether writing a message may hold up an event loop. Args: as of `write_json`."""
    if message.ByteSize() > MAX_BYTES_ON_EVENT_LOOP:
        return True
    return has_nested_maps and _num_weights(message) > MAX_WEIGHTS_ON_EVENT_LOOP


def write_json(message: Message, has_nested_maps: bool = False) -> bytes:
    """Returns a message as JSON, in UTF-8.

    It is written in steps, between which other threads have the interpreter.

    Args:
        has_nested_maps: writes the weights of maps, which are float32, as nested lists of their shape instead of
            base64; what a sparse map leaves out is 0.

    Raises:
        InvalidInput: the maps hold too many weights for that.
    """
    num_weights = _num_weights(message) if has_nested_maps else 0
    if num_weights > MAX_NESTED_WEIGHTS:
        raise InvalidInput.of(
            "attention.encoding",
            f'the maps of this answer hold {num_weights} weights; as "json" at most {MAX_NESTED_WEIGHTS} are sent: '
            "choose another encoding, fewer kinds, layers or heads, or fewer inputs a call",
        )
    value = json_format.MessageToDict(message, preserving_proto_field_name=True)
    if num_weights:
        _nest(value, message)
    return _text(value).encode()


def _text(value: Json) -> str:
    """Returns a value as JSON. What holds lists is written item by item, and lists of other items in slices."""
    if not _holds_lists(value):
        return _ENCODER.encode(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_ENCODER.encode(name)}:{_text(item)}" for name, item in value.items()) + "}"
    if any(map(_holds_lists, value)):
        return "[" + ",".join(map(_text, value)) + "]"
    slices = (value[start : start + ITEMS_AT_ONCE] for start in range(0, len(value), ITEMS_AT_ONCE))
    return "[" + ",".join(_ENCODER.encode(each)[1:-1] for each in slices) + "]"


def _holds_lists(value: Json) -> bool:
    """Whether a value is a list or has one, at any depth of its objects."""
    if isinstance(value, dict):
        return any(isinstance(each, list | dict) and _holds_lists(each) for each in value.values())
    return isinstance(value, list)


def _num_weights(message: Message) -> int:
    return sum(math.prod(each.shape) for each in _maps_in(message))


def _maps_in(message: Message) -> Iterator[Any]:
    """Yields the maps in a message."""
    if message.DESCRIPTOR.name == "AttentionMap":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if field.is_repeated else [value]:
                yield from _maps_in(each)


def _nest(value: Json, message: Any) -> None:
    """Replaces the weights of the maps in a message's JSON."""
    if message.DESCRIPTOR.name == "AttentionMap":
        value["data"] = _numbers(message)
        value.pop("indices", None)
        return
    for field, item in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry or field.name not in value:
            continue
        inner = value[field.name]
        for json_item, each in zip(inner, item, strict=True) if field.is_repeated else [(inner, item)]:
            if isinstance(json_item, dict):
                _nest(json_item, each)


def _numbers(message: Any) -> Json:
    """Returns the weights of a map of float32 as nested lists of its shape."""
    shape = tuple(message.shape)
    stored: NDArray[np.float32] = np.frombuffer(message.data, "<f4")
    if message.top_k:
        stored = stored.reshape(*shape[:-1], message.top_k)
        positions = np.frombuffer(message.indices, "<u2").reshape(stored.shape).astype(np.int64)
        values = np.zeros(shape, np.float32)
        np.put_along_axis(values, positions, stored, axis=-1)
    else:
        values = stored.reshape(shape)
    return _nested(values)


def _nested(values: Float32Array) -> Json:
    """Returns an array as nested lists of the shortest decimals that are its float32."""
    if values.ndim > 1:
        return [_nested(row) for row in values]
    return [float(str(weight)) for weight in values]
