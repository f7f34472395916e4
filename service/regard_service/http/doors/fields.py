"""The fields of a request, wherever clients put them: JSON, a form, a form of parts with files, or the query.

A form repeats a name to give a list, and all its values are texts: an API's own reader turns them into numbers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

import multipart

from regard_service.errors import InvalidInput
from regard_service.http.json_fields import shown
from regard_service.http.json_requests import parse_json
from regard_service.validation.texts import NOT_UTF8

MAX_FIELDS = 1024
"""Of a form."""

SLICE_BYTES = 1 << 14

FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
_JSON = ("application/json", "text/json")
_CONTENT_TYPES = f"content-type must be application/json, {FORM} or {PARTS}"


@dataclass(frozen=True)
class File:
    """A file of a form.

    Attributes:
        name: as the client calls it; "" if it does not say.
        media_type: as the client states it; "" likewise.
    """

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True)
class Fields:
    """The fields of a request.

    Attributes:
        values: of JSON any value; of a form or a query the texts of each name, in order.
        files: by their fields.
        is_form: whether `values` has lists of texts.
    """

    values: Mapping[str, Any]
    files: Mapping[str, File] = field(default_factory=dict)
    is_form: bool = False

    def get(self, name: str) -> Any:
        """Returns the value of a field; None if it is missing, or null. Raises InvalidInput for one given twice."""
        value = self.values.get(name)
        if not self.is_form or value is None:
            return value
        if len(value) > 1:
            raise InvalidInput.of(name, "is given twice")
        return value[0]

    def every(self, name: str) -> Any:
        """Returns a field that may be a list: of a form the only value, or all of them; None if it is missing."""
        value = self.values.get(name)
        return value[0] if self.is_form and value is not None and len(value) == 1 else value


def read_fields(content_type: str, body: bytes, query: Iterable[tuple[str, str]]) -> Fields:
    """Returns the fields of a body, and of the query unless the body is JSON.

    Raises:
        InvalidInput: the body is not of its type.
    """
    if not body:
        return Fields(_lists(query), is_form=True)
    media_type, options = (content_type, {}) if content_type in _JSON else _media_type(content_type)
    if media_type in _JSON:
        value = parse_json(body)
        if not isinstance(value, dict):
            raise InvalidInput.of("request", f"the body must be a JSON object; it is {shown(value)}")
        return Fields(value)
    if media_type == FORM:
        return Fields(_lists([*query, *_form(body)]), is_form=True)
    if media_type == PARTS:
        return _parts(body, options.get("boundary", ""), _lists(query))
    raise InvalidInput.of("request", f"{_CONTENT_TYPES}; it is {media_type[:80] or 'missing'}")


def _media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """Returns a media type in small letters, and its options."""
    media_type, options = multipart.parse_options_header(content_type)
    return media_type.strip().lower(), options


def _lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def _form(body: bytes) -> list[tuple[str, str]]:
    if body.count(b"&") >= MAX_FIELDS:
        raise InvalidInput.of("request", f"the body is no form: it has more than {MAX_FIELDS} fields")
    try:
        return [(_unescaped(name), _unescaped(value)) for name, value in map(_name_and_value, body.split(b"&"))]
    except UnicodeError:
        raise InvalidInput.of("request", NOT_UTF8) from None


def _name_and_value(field: bytes) -> tuple[bytes, bytes]:
    name, equals, value = field.partition(b"=")
    if not field.isascii():  # all other characters are escaped
        raise InvalidInput.of("request", NOT_UTF8)
    if not equals:
        raise InvalidInput.of("request", f"the body is no form: it has the field {field[:80].decode()!r}")
    return name, value


def _unescaped(text: bytes) -> str:
    """Returns a text of a form; raises UnicodeDecodeError.

    It is read in slices: `urllib` makes an object of 34 bytes and more of each escape, 900 MB of four million.
    """
    slices, position = [], 0
    while position < len(text):
        end = position + SLICE_BYTES
        cut = text.rfind(b"%", end - 2, end)  # an escape that the slice would cut
        end = cut if cut > position else end
        slices.append(unquote_to_bytes(text[position:end].replace(b"+", b" ")))
        position = end
    return b"".join(slices).decode()


def _parts(body: bytes, boundary: str, values: dict[str, list[str]]) -> Fields:
    if not boundary:
        raise InvalidInput.of("request", f"content-type must state the boundary of {PARTS}")
    files: dict[str, File] = {}
    for part, data in _segments(body, boundary):
        if part.filename is None:
            values.setdefault(part.name, []).append(_text(part.name, data))
        elif part.name in files:
            raise InvalidInput.of(part.name, "is given twice")
        else:
            files[part.name] = File(part.filename, part.content_type or "", data)
    return Fields(values, files, is_form=True)


def _segments(body: bytes, boundary: str) -> Iterator[tuple[Any, bytes]]:
    """Yields the parts of a body with what they hold. Parts stay in memory, where the body is."""
    size = len(body)
    try:
        parser = multipart.MultipartParser(
            BytesIO(body), boundary, size, part_limit=MAX_FIELDS, spool_limit=size, memory_limit=size, disk_limit=0
        )
        for part in parser:
            yield part, part.raw
    except multipart.MultipartError as error:
        raise InvalidInput.of("request", f"the body is no {PARTS}: {error.args[0]}") from None
    except UnicodeError:
        raise InvalidInput.of("request", NOT_UTF8) from None


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidInput.of(name, NOT_UTF8) from None
