"""What a value must be, in words, by the errors of pydantic."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Fault = Mapping[str, Any]
"""An error as `ValidationError.errors()` returns it."""

_LIST = 'must be a list, such as ["a", "b"]'

# By the type of pydantic's error.
_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "bool_parsing": lambda _: "must be true or false",
    "bool_type": lambda _: "must be true or false",
    "dict_type": lambda _: 'must be a table, such as {translation = "NAME"}',
    "extra_forbidden": lambda _: "there is no such key",
    "finite_number": lambda _: "must be a finite number",
    "float_parsing": lambda _: "must be a number, without a unit",
    "float_type": lambda _: "must be a number",
    "frozen_set_type": lambda _: _LIST,
    "greater_than": lambda c: f"must be above {c['gt']:g}",
    "greater_than_equal": lambda c: f"must be at least {c['ge']:.15g}",
    "int_from_float": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number, without a unit",
    "int_parsing_size": lambda _: "must be a whole number of fewer digits",
    "int_type": lambda _: "must be a whole number",
    "less_than": lambda c: f"must be below {c['lt']}",
    "less_than_equal": lambda c: f"must be at most {c['le']:.15g}",
    "literal_error": lambda c: f"must be {c['expected']}",
    "missing": lambda _: "is missing",
    "model_type": lambda _: "must be a table",
    "path_type": lambda _: "must be a path",
    "string_pattern_mismatch": lambda _: "must begin with http:// or https://, and name a host",
    "string_too_short": lambda _: "must not be empty",
    "string_type": lambda _: "must be a text",
    "too_short": lambda _: "must not be empty",
    "tuple_type": lambda _: _LIST,
}


def words(fault: Fault) -> str:
    """Returns what the value must be, without the value."""
    described = _WORDS.get(fault["type"])
    if described is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    return described(fault.get("ctx", {}))


def without_consequences(faults: Sequence[Fault]) -> Iterator[Fault]:
    """Leaves out that a list is empty where its parts are bad: pydantic does not count bad parts."""
    with_bad_parts = {fault["loc"][:length] for fault in faults for length in range(len(fault["loc"]))}
    for fault in faults:
        if fault["type"] != "too_short" or fault["loc"] not in with_bad_parts:
            yield fault
