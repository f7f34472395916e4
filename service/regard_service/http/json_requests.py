"""Reads requests of the JSON API: a body or a query becomes the protobuf message that gRPC would receive."""

import json
import json.scanner
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import Message

from regard_service.errors import InvalidInput
from regard_service.http.json_fields import MAX_SHOWN, fill, shown
from regard_service.validation.texts import NOT_UTF8

NESTED_MAPS = "json"  # as `attention.encoding`: maps are lists of numbers

# Python's fast parser holds the interpreter until it is done. Longer bodies are parsed value by value.
MAX_CHARACTERS_HOLDING = 16 * 1024


def read_body(body: bytes, message: Message, in_path: Mapping[str, str] = {}) -> bool:
    """Fills a message from JSON and from the parameters of its path.

    Returns:
        Whether the maps of the answer are to be lists of numbers.

    Raises:
        InvalidInput: the body is not JSON, or not this message; lists every bad field.
    """
    value = parse_json(body if body or not in_path else b"{}")
    if not isinstance(value, dict):
        raise InvalidInput.of("request", f"the body must be a JSON object; it is {shown(value)}")
    for name, given in in_path.items():
        if value.setdefault(name, given) != given:
            raise InvalidInput.of(name, f"is {shown(value[name])} in the body, but {shown(given)} in the path")
    return _fill(message, value)


def parse_json(body: bytes) -> Any:
    r"""Parses JSON. A name that an object has twice is an error, as is half of a surrogate pair ("\ud800")."""
    if not body:
        raise InvalidInput.of("request", "the body is empty; it must be a JSON object")
    try:
        text = body.decode("utf-8")
        value = (_AT_ONCE if len(text) <= MAX_CHARACTERS_HOLDING else _STEPPING).decode(text)
        if "\\u" in text:
            _check_surrogates(value)
    except UnicodeError:
        raise InvalidInput.of("request", NOT_UTF8) from None
    except json.JSONDecodeError as error:
        raise InvalidInput.of("request", f"the body is not JSON: {error}") from None
    except RecursionError:
        raise InvalidInput.of("request", "the body is nested too deeply") from None
    except ValueError:  # a number of thousands of digits
        raise InvalidInput.of("request", "the body holds a number of too many digits") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names: set[str] = set()
        for name, _ in pairs:
            if name in names:
                raise InvalidInput.of(name[:MAX_SHOWN], "is given twice")
            names.add(name)
    return value


class _SteppingDecoder(json.JSONDecoder):
    """Parses value by value, and each text in one step."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_object)
        self.scan_once = json.scanner.py_make_scanner(self)  # type: ignore[attr-defined]


_AT_ONCE = json.JSONDecoder(object_pairs_hook=_object)
_STEPPING = _SteppingDecoder()


def _check_surrogates(value: Any) -> None:
    """Raises UnicodeError for half of a surrogate pair. Each text is looked at by itself, in one step."""
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, list):
        for each in value:
            _check_surrogates(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_surrogates(name)
            _check_surrogates(each)


def read_query(parameters: Iterable[tuple[str, str]], message: Message) -> bool:
    """Fills a message from a URL's query: "generation.num_beams" is a nested field, a list repeats its name.

    Returns:
        Whether the maps of the answer are to be lists of numbers.

    Raises:
        InvalidInput: lists every bad field.
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
        elif name in holder:
            raise InvalidInput.of(path, "is given twice")
        else:
            holder[name] = text
    return _fill(message, value)


def _fill(message: Message, value: dict[str, Any]) -> bool:
    attention = value.get("attention")
    has_nested_maps = isinstance(attention, dict) and attention.get("encoding") == NESTED_MAPS
    if has_nested_maps:
        value["attention"] = {**attention, "encoding": "float32"}  # type: ignore[dict-item]  # a dict, as checked
    fill(message, value)
    return has_nested_maps


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
