"""What is wrong with bytes that are no message: which text is not UTF-8, if that is it."""

from collections.abc import Iterator
from typing import cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from service.errors import FieldViolation

_LENGTH_DELIMITED = 2


def describe_malformed(message_class: type[Message], raw: bytes) -> list[FieldViolation]:
    """Why `raw` cannot be parsed as that message; at least one violation."""
    message = cast(Descriptor, message_class.DESCRIPTOR)
    return list(_bad_texts(message, raw, "")) or [
        FieldViolation("request", f"these {len(raw)} bytes are not a {message.full_name}")
    ]


def _bad_texts(message: Descriptor, raw: bytes, prefix: str) -> Iterator[FieldViolation]:
    """Goes through the fields by their numbers, as a message that knows none of them sees them."""
    try:
        unknown = UnknownFieldSet(Empty.FromString(raw))
    except DecodeError:
        return
    counts: dict[int, int] = {}
    for entry in (unknown[position] for position in range(len(unknown))):
        spec = message.fields_by_number.get(entry.field_number)
        if spec is None or entry.wire_type != _LENGTH_DELIMITED:
            continue
        index = counts.get(spec.number, 0)
        counts[spec.number] = index + 1
        path = f"{prefix}{spec.name}" + (f"[{index}]" if spec.is_repeated else "")
        if spec.type == FieldDescriptor.TYPE_STRING and not _is_utf8(entry.data):
            yield FieldViolation(path, "is not valid UTF-8")
        elif spec.message_type is not None:
            yield from _bad_texts(spec.message_type, entry.data, path + ".")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
