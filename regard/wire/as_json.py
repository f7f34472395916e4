"""Messages of the API as JSON: the proto's field names, defaults included, maps as nested lists.

This is protobuf's own JSON mapping with three differences, which make it easier to read:

- a message or an `optional` field that is unset is null, so that every object of a type has the same keys;
- an attention map's `data` is all its weights, decoded, as nested lists; `indices` is left out;
- 64-bit integers are numbers, not strings.
"""

import base64
import json
import math
from collections.abc import Callable
from operator import attrgetter
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
Read: TypeAlias = Callable[[Any], Json]
Write: TypeAlias = Callable[[Any], Json]

_LEFT_OUT = object()
_READERS: dict[type[Message], tuple[tuple[str, Read], ...]] = {}


def to_dict(message: Message) -> dict[str, Json]:
    """The message as a dictionary that `json.dumps` accepts."""
    values = {name: value for name, read in _readers(type(message)) if (value := read(message)) is not _LEFT_OUT}
    if isinstance(message, pb.AttentionMap):
        del values["indices"]
        values["data"] = _nested(decode(message))
    return values


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


def _readers(kind: type[Message]) -> tuple[tuple[str, Read], ...]:
    """The fields of a type, each with what returns its value as JSON, or `_LEFT_OUT`; found once for each type."""
    readers = _READERS.get(kind)
    if readers is None:
        readers = _READERS[kind] = tuple((field.name, _reader(field)) for field in kind.DESCRIPTOR.fields)
    return readers


def _reader(field: FieldDescriptor) -> Read:
    get, write = attrgetter(field.name), _writer(field)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        write_value = _writer(field.message_type.fields_by_name["value"])
        return lambda message: {str(key): write_value(value) for key, value in sorted(get(message).items())}
    if field.is_repeated:
        return lambda message: [write(item) for item in get(message)]
    if field.has_presence:
        return _reader_of_presence(field, get, write)
    return get if write is _as_it_is else lambda message: write(get(message))


def _reader_of_presence(field: FieldDescriptor, get: Read, write: Write) -> Read:
    """Of a field that may be unset: it is null then, and left out as a choice of a `oneof` that is another.

    An `optional` field is a `oneof` of one, which does not count.
    """
    name, oneof = field.name, field.containing_oneof
    unset = None if oneof is None or len(oneof.fields) == 1 else _LEFT_OUT
    return lambda message: write(get(message)) if message.HasField(name) else unset


def _writer(field: FieldDescriptor) -> Write:
    """What turns a single value of a field into JSON."""
    if field.message_type is not None:
        return _timestamp if field.message_type.full_name == Timestamp.DESCRIPTOR.full_name else to_dict
    if field.enum_type is not None:
        names = {number: value.name for number, value in field.enum_type.values_by_number.items()}
        return lambda number: names.get(number, number)
    writers: dict[int, Write] = {
        Descriptor.TYPE_BYTES: _base64,
        Descriptor.TYPE_FLOAT: _float32,
        Descriptor.TYPE_DOUBLE: _number,
    }
    return writers.get(field.type, _as_it_is)


def _as_it_is(value: Json) -> Json:
    return value


def _timestamp(value: Timestamp) -> str:
    return value.ToJsonString()


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _float32(value: float) -> Json:
    return _number(_shortest(value))


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
    return [_float32(value) for value in values]
