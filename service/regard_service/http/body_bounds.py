"""Counts what a JSON body holds, before it is parsed: parsing creates an object for every value.

A body is scanned from text to text, so that the characters within the texts of a call cost next to nothing.
"""

import re
from collections.abc import Generator, Iterator

from regard_service.errors import InvalidInput

# Besides the inputs of a call: the names of its fields, up to 1024 layers and 1024 heads, and 1000 terms with their
# fields.
MAX_OTHER_VALUES = 12_288
VALUES_PER_INPUT = 3  # a pair and its two texts
# Bodies up to this size are not counted: their values are few, whatever they are.
MAX_UNCHECKED_BYTES = 1024
SLICE_BYTES = 1 << 18  # scanned at a time: well below a millisecond
SLICE_ESCAPES_BYTES = 1 << 16  # likewise, of a text with escapes
SLICE_TEXTS = 256

_UNTIL_QUOTE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SEPARATORS = (b",", b"[", b"{")


def counting(body: bytes, max_inputs: int) -> Iterator[None]:
    """Counts the values of a body in slices; yields after each, so that an event loop can do other things.

    Raises:
        InvalidInput: the body holds more values than any call has.
    """
    if len(body) <= MAX_UNCHECKED_BYTES:
        return
    limit = VALUES_PER_INPUT * max_inputs + MAX_OTHER_VALUES
    num_values = position = sliced = num_texts = 0
    while position < len(body):
        begin = _find(body, b'"', position)
        num_values += sum(body.count(separator, position, begin) for separator in _SEPARATORS)
        num_texts += 1
        if max(num_values, num_texts // 2) > limit:
            raise InvalidInput.of("request", f"the body holds more than {limit} values; no call has as many")
        position = _find(body, b'"', begin + 1) + 1
        if body.find(b"\\", begin, position) >= 0:
            position = yield from _end_of_escaped(body, begin + 1)
        if position - sliced > SLICE_BYTES or num_texts % SLICE_TEXTS == 0:
            sliced = position
            yield


def _end_of_escaped(body: bytes, position: int) -> Generator[None, None, int]:
    """Returns the position behind a text with escapes, whose first character is at `position`; in slices."""
    while position < len(body):
        found = _UNTIL_QUOTE.match(body, position, position + SLICE_ESCAPES_BYTES)
        end = position if found is None else found.end()
        if body[end : end + 1] == b'"':
            return end + 1
        if end == position:  # the body ends with half of an escape
            break
        position = end
        yield
    return len(body)


def _find(body: bytes, byte: bytes, position: int) -> int:
    found = body.find(byte, position)
    return len(body) if found < 0 else found
