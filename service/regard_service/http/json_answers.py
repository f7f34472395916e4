"""Messages as JSON: protobuf's own mapping with the field names of the .proto, maps also as lists of numbers."""

import asyncio
import math
from typing import Any

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message
from numpy.typing import NDArray

from regard_service.errors import InvalidInput

Json = Any

# A weight takes about a microsecond and, in JSON, twenty bytes.
MAX_NESTED_WEIGHTS = 1 << 18
MAX_WEIGHTS_ON_EVENT_LOOP = 1 << 12


async def as_json(message: Message, has_nested_maps: bool) -> dict[str, Json]:
    """Returns a message in protobuf's JSON.

    Args:
        has_nested_maps: writes the weights of maps, which are float32, as nested lists of their shape instead of
            base64; what a sparse map leaves out is 0.

    Raises:
        InvalidInput: the maps hold too many weights for that.
    """
    value = json_format.MessageToDict(message, preserving_proto_field_name=True)
    if not has_nested_maps:
        return value
    maps = list(_maps_in(message))
    num_weights = sum(math.prod(each.shape) for each in maps)
    if num_weights > MAX_NESTED_WEIGHTS:
        raise InvalidInput.of(
            "attention.encoding",
            f'the maps of this answer hold {num_weights} weights; as "json" at most {MAX_NESTED_WEIGHTS} are sent: '
            "choose another encoding, fewer kinds, layers or heads, or fewer inputs a call",
        )
    if num_weights <= MAX_WEIGHTS_ON_EVENT_LOOP:
        _nest(value, message)
    else:
        await asyncio.to_thread(_nest, value, message)
    return value


def _maps_in(message: Message) -> Any:
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
    # The shortest decimals that are these float32.
    decimals = np.array([float(str(weight)) for weight in values.ravel()], np.float64)
    nested: Json = decimals.reshape(shape).tolist()
    return nested
