"""Messages of the API as JSON: the proto's field names, defaults included, maps as nested lists.

This is protobuf's own JSON mapping with three differences, which make it easier to read:

- a message or an `optional` field that is unset is null, so that every object of a type has the same keys;
- an attention map's `data` is all its weights, decoded, as nested lists; `indices` is left out;
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
from regard.v1 import regard_pb2 as pb
from regard.wire.encoding import decode

if TYPE_CHECKING:
    from google._upb._message import FieldDescriptor as NativeDescriptor

# protobuf's C implementation has its own class.
FieldDescriptor: TypeAlias = "Descriptor | NativeDescriptor"
Json: TypeAlias = Any


def to_dict(message: Message) -> dict[str, Json]:
    """The message as a dictionary that `json.dumps` accepts."""
    fields = message.DESCRIPTOR.fields
    if isinstance(message, pb.AttentionMap):
        values = {f.name: _field(message, f) for f in fields if f.name not in ("data", "indices")}
        return values | {"data": _nested(decode(message))}
    return {f.name: _field(message, f) for f in fields if not _is_unset_choice(message, f)}


def to_json(message: Message) -> str:
    """The message as one line of JSON."""
    return dump(to_dict(message))


def dump(value: Json) -> str:
    """One line of strict JSON; letters beyond ASCII are not escaped."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # A lone surrogate, from a file name that is not UTF-8, cannot be encoded as UTF-8, but can be escaped.
    return line if _is_encodable(line) else json.dumps(value, allow_nan=False)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_unset_choice(message: Message, field: FieldDescriptor) -> bool:
    """Whether the field is an unset choice of a `oneof`. An `optional` field, a `oneof` of one, does not count."""
    oneof = field.containing_oneof
    is_optional = oneof is not None and len(oneof.fields) == 1
    return oneof is not None and not is_optional and not message.HasField(field.name)


def _field(message: Message, field: FieldDescriptor) -> Json:
    """The field's value; None if the field tracks presence and is unset."""
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
    """The shortest decimal that rounds to the same float32: 0.1 instead of 0.10000000149011612."""
    return float(str(np.float32(value)))


def _number(value: float) -> Json:
    """A number; infinities and NaN, which JSON lacks, as strings, as protobuf writes them."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _nested(values: Float32Array) -> Json:
    """An array as nested lists of shortest decimals."""
    if values.ndim > 1:
        return [_nested(row) for row in values]
    return [_number(_shortest(value)) for value in values]
