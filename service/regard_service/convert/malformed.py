"""Describes bytes that are not a message: names the texts that are not UTF-8, if that is the reason."""

from collections.abc import Iterator
from itertools import islice

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor

from regard_service.convert.wire import path_at, walk
from regard_service.errors import MAX_VIOLATIONS, FieldViolation, InvalidInput
from regard_service.validation.texts import NOT_UTF8, is_utf8

# Messages of more entries are refused before they are parsed, unless they are tiny.
MAX_ENTRIES = 2048


def describe_malformed(method: str, raw: bytes) -> InvalidInput:
    """Returns why `raw` is not the request of a method, named "package.Service.Method"."""
    message = descriptor_pool.Default().FindMethodByName(method).input_type
    return InvalidInput(
        list(islice(_bad_texts(message, raw), MAX_VIOLATIONS))
        or [FieldViolation("request", f"these {len(raw)} bytes are not a {message.full_name}")]
    )


def _bad_texts(message: Descriptor, raw: bytes) -> Iterator[FieldViolation]:
    """Yields the texts that are bad."""
    for field, start, end in islice(walk(message, raw), MAX_ENTRIES):
        if field is not None and field.is_text and not is_utf8(raw[start:end]):
            yield FieldViolation(path_at(message, raw, start), NOT_UTF8)
