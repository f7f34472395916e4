"""Reads requests of the JSON API: a body or a query becomes the protobuf message that gRPC would receive."""

import json
import json.scanner
import re
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from regard_service.errors import FieldViolation, InvalidInput
from regard_service.validation.texts import NOT_UTF8

_STEP = re.compile(r"^Failed to parse (\w+) field: ")
_UNKNOWN = re.compile(r'has no field named "([^"]*)"')
# The value between is the caller's. Possessive quantifiers keep the time linear.
_PLACE = re.compile(r" at \"?\w++(?:[.\[][\w.\[\]]*+)?\"?\.*+\s*+$")


# Python's fast parser holds the interpreter until it is done. Longer bodies are parsed value by value.
MAX_CHARACTERS_HOLDING = 16 * 1024


class _SteppingDecoder(json.JSONDecoder):
    """Parses value by value, and each text in one step."""

    def __init__(self) -> None:
        super().__init__()
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]


_STEPPING = _SteppingDecoder()


def read_body(body: bytes, message: Message) -> None:
    """Fills a message from JSON.

    Raises:
        InvalidInput: the body is not JSON, or not this message; lists every bad top-level field.
    """
    try:
        value = _parsed(body)
    except UnicodeError:
        raise InvalidInput.of("request", NOT_UTF8) from None
    except (ValueError, RecursionError) as error:  # no JSON, or nested too deeply
        raise InvalidInput.of("request", f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput.of("request", "the body must be a JSON object")
    fill(message, value)


def _parsed(body: bytes) -> Any:
    r"""Parses JSON. Raises UnicodeError also for half of a surrogate pair, which JSON can escape ("\ud800")."""
    text = body.decode("utf-8")
    value = json.loads(text) if len(text) <= MAX_CHARACTERS_HOLDING else _STEPPING.decode(text)
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _check_surrogates(value: Any) -> None:
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, list | dict):
        for each in value:
            _check_surrogates(each)
        if isinstance(value, dict):
            _check_surrogates([*value.values()])


def read_query(parameters: Iterable[tuple[str, str]], message: Message) -> None:
    """Fills a message from a URL's query: "generation.num_beams" is a nested field, a list repeats its name.

    Raises:
        InvalidInput: lists every bad top-level field.
    """
    value: dict[str, Any] = {}
    for path, text in parameters:
        *parents, name = path.split(".")
        holder: Any = value
        for parent in parents:
            holder = holder.setdefault(parent, {})
            if not isinstance(holder, dict):
                raise InvalidInput.of(path, "is a field of a field that has a value of its own")
        known = _field(message, path)
        if known is not None and known.is_repeated:
            values = holder.setdefault(name, [])
            if not isinstance(values, list):
                raise InvalidInput.of(path, "has a value of its own and a field")
            values.append(text)
        else:
            holder[name] = text
    fill(message, value)


def fill(message: Message, value: dict[str, Any]) -> None:
    """Sets a message's fields by protobuf's JSON mapping, with either spelling of their names. Raises InvalidInput."""
    violations = []
    for name, item in value.items():
        try:
            json_format.ParseDict({name: _without_data_urls(item) if _is_bytes(message, name) else item}, message)
        except json_format.ParseError as error:
            violations.append(_violation(str(error)))
        except (RecursionError, OverflowError, TypeError) as error:
            violations.append(FieldViolation(name, str(error)))
    if violations:
        raise InvalidInput(violations)


def _is_bytes(message: Message, name: str) -> bool:
    descriptor = message.DESCRIPTOR
    field = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
    return field is not None and field.type == FieldDescriptor.TYPE_BYTES


def _without_data_urls(item: Any) -> Any:
    """Returns the base64 of bytes that are written as data URLs (RFC 2397), as browsers write them."""
    if isinstance(item, list):
        return [_without_data_urls(each) for each in item]
    if not isinstance(item, str) or item[:5].lower() != "data:":
        return item
    head, _, content = item.partition(",")
    if not head.lower().endswith(";base64"):
        raise TypeError("is a data URL without ;base64")
    return content


def _violation(text: str) -> FieldViolation:
    """Splits protobuf's error into path and description: "Failed to parse x field: ..." precedes each step."""
    path = []
    while (step := _STEP.match(text)) is not None:
        path.append(step[1])
        text = text[step.end() :]
    unknown = _UNKNOWN.search(text)
    if unknown is not None:
        return FieldViolation(".".join([*path, unknown[1]]), "there is no such field")
    return FieldViolation(".".join(path) or "request", _PLACE.sub("", text.strip().rstrip(".")))


def _field(message: Message, path: str) -> Any:
    """Returns the descriptor of a field by its path, or None."""
    descriptor: Any = message.DESCRIPTOR
    field: Any = None
    for name in path.split("."):
        if descriptor is None:
            return None
        field = descriptor.fields_by_name.get(name)
        descriptor = None if field is None else field.message_type
    return field
