"""Sets a message's fields from JSON, and says in the API's own words what does not fit.

The mapping is protobuf's (https://protobuf.dev/programming-guides/json), with what people write beside it: short names
of enums ("alignment" for ATTENTION_KIND_ALIGNMENT) and bytes as data URLs. `google.protobuf.json_format` reads the same
JSON, but its errors name Python's types and its own functions.
"""

import base64
import binascii
import json
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from regard_service.errors import MAX_VIOLATIONS, FieldViolation, InvalidInput
from regard_service.validation.suggestions import closest

MAX_SHOWN = 60  # characters of a value in a violation
MAX_FLOAT32 = 3.4028234663852886e38

# Values that this interface adds to an enum; `json_requests` takes them out before.
_MORE_VALUES: Mapping[str, tuple[str, ...]] = {"Encoding": ("json",)}

# Names that other interfaces have for these fields; the fields that a message has are suggested.
_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "beams": ("num_beams",),
    "content": ("document",),
    "file": ("document",),
    "from": ("source_language",),
    "image": ("images",),
    "images": ("image",),
    "input": ("texts", "text"),
    "inputs": ("texts", "text", "images"),
    "kind": ("kinds",),
    "lang": ("target_language",),
    "max_length": ("max_new_tokens",),
    "max_tokens": ("max_new_tokens",),
    "num_hypotheses": ("num_return_sequences",),
    "options": ("generation",),
    "parameters": ("generation",),
    "picture": ("images", "image"),
    "q": ("texts", "text"),
    "source": ("source_language",),
    "source_lang": ("source_language",),
    "target": ("target_language",),
    "target_lang": ("target_language",),
    "text": ("texts",),
    "texts": ("text",),
    "to": ("target_language",),
}


def fill(message: Message, value: Mapping[str, Any]) -> None:
    """Sets the fields of a message from a JSON object, with either spelling of their names. null leaves one unset.

    Args:
        value: its texts are valid Unicode.

    Raises:
        InvalidInput: lists everything that does not fit, up to `MAX_VIOLATIONS`.
    """
    filler = _Filler()
    filler.fill(message, value, "")
    if filler.violations:
        raise InvalidInput(filler.violations)


def short_names(enum: EnumDescriptor) -> dict[str, int]:
    """Returns an enum's numbers by the short names of its values: "alignment" for ATTENTION_KIND_ALIGNMENT.

    "Unspecified" has none.
    """
    prefix = _prefix(enum)
    return {value.name.removeprefix(prefix).lower(): value.number for value in enum.values if value.number}


def listed(enum: EnumDescriptor) -> tuple[str, ...]:
    """Returns the values that this interface takes for an enum, by their short names."""
    return (*short_names(enum), *_MORE_VALUES.get(enum.name, ()))


def shown(value: object) -> str:
    """Returns a JSON value as JSON, shortened."""
    if isinstance(value, str) and len(value) > MAX_SHOWN:
        value = value[:MAX_SHOWN]  # before it is quoted: it may be long
        return json.dumps(value, ensure_ascii=False)[:-1] + '..."'
    text = json.dumps(value, ensure_ascii=False, default=str) if not isinstance(value, list | dict) else _kind(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a list" if isinstance(value, list) else shown(value)


class _Filler:
    """Sets fields and collects violations."""

    def __init__(self) -> None:
        self.violations: list[FieldViolation] = []

    def fill(self, message: Any, value: Mapping[str, Any], prefix: str) -> None:
        """Sets the fields of an object; `prefix` is its path, with a dot behind it."""
        descriptor: Descriptor = message.DESCRIPTOR
        names: dict[str, str] = {}
        for name, item in value.items():
            field = descriptor.fields_by_name.get(name) or descriptor.fields_by_camelcase_name.get(name)
            if field is None:
                self._add(prefix + _shortened(name), f"there is no such field{_suggestion(descriptor, name)}")
            elif field.name in names:
                self._add(prefix + name, f"is given twice, also as {names[field.name]!r}")
            elif item is not None:
                names[field.name] = name
                self._set(message, field, item, prefix + field.name)

    def _set(self, message: Any, field: FieldDescriptor, item: Any, path: str) -> None:
        if field.is_repeated:
            self._set_list(getattr(message, field.name), field, item, path)
        elif field.message_type is not None:
            self._fill_object(getattr(message, field.name), item, path)
        else:
            try:
                setattr(message, field.name, _scalar(field, item))
            except ValueError as error:
                self._add(path, str(error))

    def _set_list(self, target: Any, field: FieldDescriptor, item: Any, path: str) -> None:
        if not isinstance(item, list):
            example = f"[{shown(item)}]" if isinstance(item, str | int | float) else "[...]"
            self._add(path, f"must be a list, such as {example}; it is {shown(item)}")
            return
        for index, each in enumerate(item):
            place = f"{path}[{index}]"
            if field.message_type is not None:
                self._fill_object(target.add(), each, place)
                continue
            try:
                target.append(_scalar(field, each))
            except ValueError as error:
                self._add(place, str(error))

    def _fill_object(self, message: Any, item: Any, path: str) -> None:
        if not isinstance(item, dict):
            fields = ", ".join(f'"{field.name}"' for field in message.DESCRIPTOR.fields[:3])
            self._add(path, f"must be an object with fields such as {fields}; it is {shown(item)}")
            return
        message.SetInParent()
        self.fill(message, item, path + ".")

    def _add(self, path: str, description: str) -> None:
        self.violations.append(FieldViolation(path, description))
        if len(self.violations) == MAX_VIOLATIONS:  # an error lists no more; looking for what was meant takes time
            raise InvalidInput(self.violations)


def _scalar(field: FieldDescriptor, item: Any) -> Any:
    """Returns the value for a field. Raises ValueError, which says what the field holds and what it is."""
    if field.enum_type is not None:
        return _enum(field.enum_type, item)
    return _READERS[field.type](item)


def _enum(enum: EnumDescriptor, item: Any) -> int:
    """Returns the number of a value by its name, long or short, or by its number."""
    if isinstance(item, str):
        known = short_names(enum)
        name = item.removeprefix(_prefix(enum)).lower() if len(item) <= MAX_SHOWN else ""
        if name in known:
            return known[name]
        if item in enum.values_by_name:  # unspecified
            return enum.values_by_name[item].number
        if not item.isascii() or not item.isdigit():
            close = closest(name, listed(enum))
            meant = f"; did you mean {shown(close)}?" if close else ""
            raise ValueError(f"{shown(item)} is none of {', '.join(listed(enum))}{meant}")
    try:
        return _int32(item)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(listed(enum))}; it is {shown(item)}") from None


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values[0].name.removesuffix("UNSPECIFIED")


def _text(item: Any) -> str:
    if not isinstance(item, str):
        raise ValueError(f"must be a text in quotation marks; it is {shown(item)}")
    return item


def _boolean(item: Any) -> bool:
    if item in ("true", "false"):  # from a query, where every value is a text
        return bool(item == "true")
    if not isinstance(item, bool):
        raise ValueError(f"must be true or false; it is {shown(item)}")
    return item


def _whole_number(bits: int) -> Callable[[Any], int]:
    def read(item: Any) -> int:
        number = _number(item, "a whole number")
        if number != math.trunc(number):
            raise ValueError(f"must be a whole number; it is {shown(item)}")
        if not -(1 << bits) <= number < 1 << bits:
            raise ValueError(f"must be in [{-(1 << bits)}, {(1 << bits) - 1}]; it is {shown(item)}")
        return int(number)

    return read


def _number(item: Any, what: str) -> int | float:
    """Returns a finite number, which may be written as a text, as protobuf writes those of 64 bits."""
    number: Any = item
    if isinstance(item, str) and len(item) <= MAX_SHOWN and "_" not in item:
        try:
            number = int(item)
        except ValueError:
            number = _float_or_text(item)
    if isinstance(number, bool) or not isinstance(number, int | float) or not _is_finite(number):
        raise ValueError(f"must be {what}; it is {shown(item)}")
    return number


def _float_or_text(item: str) -> float | str:
    try:
        return float(item)
    except ValueError:
        return item


def _is_finite(number: float) -> bool:
    return isinstance(number, int) or math.isfinite(number)


def _float(limit: float, excess: float) -> Callable[[Any], float]:
    """Args: limit: the largest number of the type; excess: the smallest that is not rounded to it."""

    def read(item: Any) -> float:
        number = _number(item, "a number")
        if abs(number) >= excess:
            raise ValueError(f"must be in [{-limit:.7g}, {limit:.7g}]; it is {shown(item)}")
        return float(number)

    return read


def _bytes(item: Any) -> bytes:
    """Returns bytes from base64, with either alphabet and with or without padding, or from a data URL (RFC 2397)."""
    if not isinstance(item, str):
        raise ValueError(f"must be the bytes in base64, as a text; it is {_kind(item)}")
    content = item
    if item[:5].lower() == "data:":
        head, _, content = item.partition(",")
        if not head.lower().endswith(";base64"):
            raise ValueError("is a data URL without ;base64")
    elif item[:8].lower().startswith(("http://", "https://")):
        raise ValueError("is an address, which this server does not fetch; send the bytes in base64")
    try:
        raw = content.encode("ascii").translate(_URL_SAFE)
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError(f"is not base64: {shown(content)}") from None


def _suggestion(descriptor: Descriptor, name: str) -> str:
    """Returns the field that was probably meant: of this message, or of one that it holds."""
    known = descriptor.fields_by_name
    meant = next((each for each in _SYNONYMS.get(name.lower(), ()) if each in known), None)
    if meant is None:
        meant = next((f"{outer}.{inner}" for outer, inner in _within(descriptor, name)), None) or closest(name, known)
    return f"; did you mean {shown(meant)}?" if meant else f"; there are {', '.join(known)}"


def _within(descriptor: Descriptor, name: str) -> list[tuple[str, str]]:
    """Returns holder and name of the fields that are meant, of messages in this one."""
    meant = _SYNONYMS.get(name.lower(), (name,))
    holders = [(field.name, field.message_type) for field in descriptor.fields if not field.is_repeated]
    return [(holder, each) for holder, kind in holders for each in meant if kind and each in kind.fields_by_name]


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_SHOWN else name[:MAX_SHOWN] + "..."


_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_int32 = _whole_number(31)
_READERS: dict[int, Callable[[Any], Any]] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BYTES: _bytes,
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_INT32: _int32,
    FieldDescriptor.TYPE_INT64: _whole_number(63),
    FieldDescriptor.TYPE_FLOAT: _float(MAX_FLOAT32, 2**128 - 2**103),
    FieldDescriptor.TYPE_DOUBLE: _float(sys.float_info.max, 2**1024 - 2**970),
}
