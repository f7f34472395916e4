"""A message of the API as JSON: the proto's field names, defaults printed, maps as nested lists.

As protobuf's own JSON mapping, with these differences, each for whoever reads it:

- a message or an `optional` field that is unset is null, so that every object of a kind has the same keys;
- an attention map's `data` holds all its weights as nested lists, decoded; `indices` is left out;
- 64-bit integers are numbers, not strings.
"""

import base64
import json
import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from google.protobuf.descriptor import FieldDescriptor as Descriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from regard.arrays import Float32Array
from regard.encoding import decode
from regard.v1 import regard_pb2 as pb

if TYPE_CHECKING:
    from google._upb._message import FieldDescriptor as NativeDescriptor

# protobuf's C implementation has a class of its own.
FieldDescriptor: TypeAlias = "Descriptor | NativeDescriptor"
Json: TypeAlias = Any


def to_dict(message: Message) -> dict[str, Json]:
    """The message as an object that `json.dumps` takes."""
    fields = message.DESCRIPTOR.fields
    if isinstance(message, pb.AttentionMap):
        values = {f.name: _field(message, f) for f in fields if f.name not in ("data", "indices")}
        return values | {"data": _nested(decode(message))}
    return {f.name: _field(message, f) for f in fields if not _is_unset_choice(message, f)}


def to_json(message: Message) -> str:
    """The message as one line of JSON."""
    return dump(to_dict(message))


def dump(value: Json) -> str:
    """One line of strict JSON; text stays readable."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, as a mistyped file name has it, cannot be printed as UTF-8, but can be escaped.
    return line if _is_encodable(line) else json.dumps(value, allow_nan=False)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_unset_choice(message: Message, field: FieldDescriptor) -> bool:
    """Whether the field is a choice of a real `oneof` that was not taken; an `optional` field is none."""
    oneof = field.containing_oneof
    is_optional = oneof is not None and len(oneof.fields) == 1
    return oneof is not None and not is_optional and not message.HasField(field.name)


def _field(message: Message, field: FieldDescriptor) -> Json:
    """The field's value, or null if it is unset and can tell."""
    value = getattr(message, field.name)
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return {str(key): _scalar(kind.fields_by_name["value"], value[key]) for key in sorted(value)}
    if field.is_repeated:
        return [_single(field, item) for item in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _single(field, value)


def _single(field: FieldDescriptor, value: Any) -> Json:
    if isinstance(value, Timestamp):
        return value.ToJsonString()
    return to_dict(value) if isinstance(value, Message) else _scalar(field, value)


def _scalar(field: FieldDescriptor, value: Any) -> Json:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    if field.type == Descriptor.TYPE_BYTES:
        return base64.b64encode(value).decode()
    if field.type == Descriptor.TYPE_FLOAT:
        return _number(_shortest(value))
    return _number(value) if isinstance(value, float) else value


def _shortest(value: float) -> float:
    """The shortest decimal that is the same float32: 0.1, and not 0.10000000149011612."""
    return float(str(np.float32(value)))


def _number(value: float) -> Json:
    """JSON has no infinities; as protobuf does, they are written as strings."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _nested(values: Float32Array) -> Json:
    """An array as nested lists of shortest decimals."""
    if values.ndim > 1:
        return [_nested(row) for row in values]
    return [_number(_shortest(value)) for value in values]
