"""The faults of settings in words: what a value must be, and what it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from regard_service.app.setting_sources import SourcedValue

_Context = Mapping[str, Any]

# By the type of pydantic's error.
_WORDS: dict[str, Callable[[_Context], str]] = {
    "bool_parsing": lambda _: "must be true or false",
    "bool_type": lambda _: "must be true or false",
    "dict_type": lambda _: 'must be a table, such as {translation = "NAME"}',
    "finite_number": lambda _: "must be a finite number",
    "float_parsing": lambda _: "must be a number, without a unit",
    "float_type": lambda _: "must be a number",
    "greater_than": lambda c: f"must be above {c['gt']:g}",
    "greater_than_equal": lambda c: f"must be at least {c['ge']:.15g}",
    "int_from_float": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number, without a unit",
    "int_parsing_size": lambda _: "must be a whole number of fewer digits",
    "int_type": lambda _: "must be a whole number",
    "less_than": lambda c: f"must be below {c['lt']}",
    "less_than_equal": lambda c: f"must be at most {c['le']:.15g}",
    "literal_error": lambda c: f"must be {c['expected']}",
    "path_type": lambda _: "must be a path",
    "string_pattern_mismatch": lambda _: "must begin with http:// or https://",
    "string_too_short": lambda _: "must not be empty",
    "string_type": lambda _: "must be a text",
    "too_short": lambda _: "must not be empty",
    "tuple_type": lambda _: 'must be a list, such as ["a", "b"]',
}


def describe_faults(errors: Sequence[Mapping[str, Any]], values: Mapping[str, SourcedValue]) -> Iterator[str]:
    """Yields a line for each error of pydantic, which starts with the place where the value is set."""
    with_bad_parts = {error["loc"][0] for error in errors if len(error["loc"]) > 1}
    for error in errors:
        if error["type"] == "too_short" and error["loc"][0] in with_bad_parts:
            continue  # pydantic does not count bad parts
        yield _describe(error, values)


def _describe(error: Mapping[str, Any], values: Mapping[str, SourcedValue]) -> str:
    words = _WORDS.get(error["type"])
    text = str(error["msg"]).removeprefix("Value error, ") if words is None else words(error.get("ctx", {}))
    location: tuple[int | str, ...] = error["loc"]
    if not location:
        return text
    key, *rest = location
    value = values[str(key)]
    inner = "".join(f"[{part}]" for part in rest if part != "[key]")
    return f"{value.origin}{inner}: {text} (it is {value.value!r})"
