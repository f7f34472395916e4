"""The faults of settings: what a value must be, what it is, and where it is set."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time

from regard_service.app.setting_sources import SourcedValue
from regard_service.configuration.fault_words import Fault, without_consequences, words


def describe_faults(
    faults: Sequence[Fault], values: Mapping[str, SourcedValue], keys: Mapping[str, object]
) -> Iterator[str]:
    """Yields a line for each error of pydantic, which starts with the place where the value is set.

    Args:
        keys: of settings.
    """
    for fault in without_consequences(faults):
        location: tuple[int | str, ...] = fault["loc"]
        if not location:  # of several settings
            yield words(fault)
            continue
        key, *rest = location
        value = values[str(key)]
        inner = "".join(f"[{part}]" for part in rest if part != "[key]")
        if rest and rest[0] in keys:
            if rest[-1] == "[key]":
                yield f"{value.origin}{inner}: {rest[0]} is a setting: write it above the line [{key}]"
            continue
        yield f"{value.origin}{inner}: {words(fault)} (it is {_as_written(value.value)})"


def _as_written(value: object) -> str:
    """Returns a value of TOML as TOML writes it, where Python writes it otherwise."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date | datetime | time) else repr(value)
