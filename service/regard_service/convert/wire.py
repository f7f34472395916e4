"""Walks a serialized message without parsing it, so that its entries are counted before they cost anything.

Parsing creates an object for every entry of a list: two bytes of an empty text become more than a hundred.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, slots=True)
class WireField:
    """One entry of a message: its path, its field (None: unknown), and its bytes if it has a length."""

    path: str
    spec: FieldDescriptor | None
    start: int
    end: int


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
    for position, entry in enumerate(walk(message, raw)):
        if position >= max_entries:
            raise InvalidInput.of(
                entry.path.partition("[")[0] or "request",
                f"a message has more than {max_entries} entries, in all of its lists; "
                f"the limit of inputs is {limits.max_inputs_per_call}",
            )
        _check_size(entry, limits)


def _check_size(entry: WireField, limits: CallLimits) -> None:
    size, spec = entry.end - entry.start, entry.spec
    if spec is None or size <= MAX_NUMBERS_BYTES:
        return
    if spec.type == FieldDescriptor.TYPE_STRING:
        if size > limits.max_text_characters * MAX_BYTES_PER_CHARACTER:
            limit = limits.max_text_characters
            raise InvalidInput.of(entry.path, f"has {size} bytes, more than any text of {limit} characters, the limit")
    elif spec.type != FieldDescriptor.TYPE_BYTES and spec.message_type is None:
        path = entry.path.rpartition("[")[0]
        raise InvalidInput.of(path, f"has {size} bytes of numbers; the limit is {MAX_NUMBERS_BYTES}")


def walk(message: Descriptor, raw: bytes) -> Iterator[WireField]:
    """Yields the entries of a message, each before those within it, as far as its bytes are a message."""
    return _walk(message, raw, 0, len(raw), "", 0)


def _walk(message: Descriptor, raw: bytes, position: int, end: int, prefix: str, depth: int) -> Iterator[WireField]:
    counts: Counter[int] = Counter()
    known = message.fields_by_number
    while position < end:
        try:
            tag, position = _varint(raw, position)
            wire_type = tag & 7
            start = position
            if wire_type == _VARINT:
                _, position = _varint(raw, position)
            elif wire_type == _LENGTH_DELIMITED:
                size, start = _varint(raw, position)
                position = start + size
            else:
                position += _FIXED_SIZES[wire_type]
        except (IndexError, KeyError):
            return  # no message from here on, which its parser reports
        if position > end:
            return
        number = tag >> 3
        spec = known.get(number)
        path = ""
        if spec is not None:
            path = f"{prefix}{spec.name}[{counts[number]}]" if spec.is_repeated else prefix + spec.name
            counts[number] += 1
        has_size = wire_type == _LENGTH_DELIMITED
        yield WireField(path, spec if has_size else None, start, position)
        if has_size and spec is not None and spec.message_type is not None and depth < _MAX_DEPTH:
            yield from _walk(spec.message_type, raw, start, position, path + ".", depth + 1)


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
