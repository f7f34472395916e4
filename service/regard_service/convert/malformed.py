"""Describes bytes that are not a message: names the texts that are not UTF-8, if that is the reason."""

from collections.abc import Iterator

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from regard_service.errors import FieldViolation, InvalidInput
from regard_service.validation.texts import NOT_UTF8, is_utf8

_LENGTH_DELIMITED = 2


def describe_malformed(method: str, raw: bytes) -> InvalidInput:
    """Returns why `raw` is not the request of a method, named "package.Service.Method"."""
    message = descriptor_pool.Default().FindMethodByName(method).input_type
    return InvalidInput(
        list(_bad_texts(message, raw, ""))
        or [FieldViolation("request", f"these {len(raw)} bytes are not a {message.full_name}")]
    )


def _bad_texts(message: Descriptor, raw: bytes, prefix: str) -> Iterator[FieldViolation]:
    """Parses the fields by number, as fields of a message that declares none, and yields the texts that are bad."""
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
        if spec.type == FieldDescriptor.TYPE_STRING and not is_utf8(entry.data):
            yield FieldViolation(path, NOT_UTF8)
        elif spec.message_type is not None:
            yield from _bad_texts(spec.message_type, entry.data, path + ".")
