"""Walks a serialized message without parsing it, so that its entries are counted before they cost anything.

Parsing creates an object for every entry of a list: two bytes of an empty text become more than a hundred.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from regard_service.errors import InvalidInput
from regard_service.validation.limits import CallLimits

# The most entries of a message besides its inputs: a legal call has some fifty, and up to 1000 terms of five each.
MAX_OTHER_ENTRIES = 512 + 5 * 1000
ENTRIES_PER_PAIR = 3  # the pair and its two texts
# The most bytes of a list of numbers: `layers` and `heads` have at most 1024, of up to ten bytes.
MAX_NUMBERS_BYTES = 16 * 1024
# Messages up to this size are parsed at once: their entries are few, whatever they are.
MAX_UNCHECKED_BYTES = 2048
MAX_BYTES_PER_CHARACTER = 4  # of UTF-8

_VARINT, _FIXED64, _LENGTH_DELIMITED, _GROUP_START, _GROUP_END, _FIXED32 = range(6)
_FIXED_SIZES: Final = {_FIXED64: 8, _FIXED32: 4, _GROUP_START: 0, _GROUP_END: 0}
_MAX_DEPTH = 16


Entry = tuple["WireField | None", int, int]
"""An entry of a message: its field (None: unknown, or without a length), and where its bytes start and end."""


class WireField(NamedTuple):
    """A field whose entries have a length.

    Attributes:
        inner: the message that its entries are, if they are messages.
        is_text: whether they are strings.
        is_numbers: whether they are lists of numbers.
    """

    name: str
    inner: Descriptor | None
    is_text: bool
    is_numbers: bool


def check_message(message: Descriptor, raw: bytes, limits: CallLimits) -> None:
    """Refuses a message with more entries than a legal call has, or with a text that is too long. It stops at the
    first violation.

    Raises:
        InvalidInput: names the field at which a limit is exceeded.
    """
    if len(raw) <= MAX_UNCHECKED_BYTES:
        return
    entries_per_input = ENTRIES_PER_PAIR if "pairs" in message.fields_by_name else 1
    max_entries = entries_per_input * limits.max_inputs_per_call + MAX_OTHER_ENTRIES
    for position, (field, start, end) in enumerate(walk(message, raw)):
        if position == max_entries:
            raise InvalidInput.of(
                path_at(message, raw, start).partition("[")[0] or "request",
                f"a message has more than {max_entries} entries, in all of its lists; "
                f"the limit of inputs is {limits.max_inputs_per_call}",
            )
        if end - start > MAX_NUMBERS_BYTES and field is not None:
            _check_size(field, end - start, limits, path_at(message, raw, start))


def _check_size(field: WireField, size: int, limits: CallLimits, path: str) -> None:
    if field.is_text and size > limits.max_text_characters * MAX_BYTES_PER_CHARACTER:
        limit = limits.max_text_characters
        raise InvalidInput.of(path, f"has {size} bytes, more than any text of {limit} characters, the limit")
    if field.is_numbers:
        raise InvalidInput.of(path.rpartition("[")[0], f"has {size} bytes of numbers; the limit is {MAX_NUMBERS_BYTES}")


def walk(message: Descriptor, raw: bytes) -> Iterator[Entry]:
    """Yields the entries of a message, each before those within it, as far as its bytes are a message."""
    return _walk(message, raw, 0, len(raw), 0)


def path_at(message: Descriptor, raw: bytes, target: int) -> str:
    """Returns the path of the entry whose bytes start at `target`, "" for that of an unknown field."""
    path, level, position, end = "", message, 0, len(raw)
    while True:
        fields, counts = _fields(level), Counter[int]()
        for tag, start, stop in _entries(raw, position, end):
            if start >= target or start <= target < stop:
                break
            counts[tag >> 3] += 1
        else:
            return ""
        spec = level.fields_by_number.get(tag >> 3)
        if spec is None:
            return ""
        path += f"{spec.name}[{counts[tag >> 3]}]" if spec.is_repeated else spec.name
        field = fields.get(tag)
        if start == target or field is None or field.inner is None:
            return path
        path, level, position, end = path + ".", field.inner, start, stop


def _walk(message: Descriptor, raw: bytes, position: int, end: int, depth: int) -> Iterator[Entry]:
    fields = _fields(message)
    for tag, start, stop in _entries(raw, position, end):
        field = fields.get(tag)
        yield field, start, stop
        if field is not None and field.inner is not None and depth < _MAX_DEPTH:
            yield from _walk(field.inner, raw, start, stop, depth + 1)


@cache
def _fields(message: Descriptor) -> dict[int, WireField]:
    """The fields of a message whose entries have a length, by tag."""
    return {
        spec.number << 3 | _LENGTH_DELIMITED: WireField(
            spec.name,
            spec.message_type,
            is_text=spec.type == FieldDescriptor.TYPE_STRING,
            is_numbers=spec.message_type is None
            and spec.type not in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES),
        )
        for spec in message.fields
    }


def _entries(raw: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields tag, start and end of the entries of one message, without those within. The event loop waits for this:
    numbers of one byte, nearly all, are read without a call.
    """
    while position < end:
        try:
            tag, position = raw[position], position + 1
            if tag >= 128:
                tag, position = _varint(raw, position - 1)
            wire_type, start = tag & 7, position
            if wire_type == _LENGTH_DELIMITED:
                size, start = raw[position], position + 1
                if size >= 128:
                    size, start = _varint(raw, position)
                position = start + size
            elif wire_type == _VARINT:
                _, position = _varint(raw, position)
            else:
                position += _FIXED_SIZES[wire_type]
        except (IndexError, KeyError):
            return  # no message from here on, which its parser reports
        if position > end:
            return
        yield tag, start, position


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    """Returns a number and the position behind it. Raises IndexError if the bytes end first."""
    byte = raw[position]
    position += 1
    if byte < 128:
        return byte, position
    value, shift = byte & 127, 7
    while byte >= 128:
        byte = raw[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if shift > 70:
            raise IndexError
    return value, position
