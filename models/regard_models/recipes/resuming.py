"""What a training's later calls must state as its first call did: the sizes of the net, and what it learns."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FILE = "options.json"


class OtherOptions(ValueError):
    """The options of a call differ from the options of the training that it continues; the message names them."""


def check_options(folder: Path, options: Mapping[str, Any]) -> None:
    """Checks the options of a call that continues the training in a folder; keeps those of the first call there.

    Args:
        folder: of the training; need not exist.
        options: values that JSON holds, by name as on the command line: {"--width": 256}.

    Raises:
        OtherOptions: the training in the folder began with other values.
    """
    file = folder / _FILE
    given = json.loads(json.dumps(options))
    if file.is_file():
        began = json.loads(file.read_text("utf-8"))
        differing = [name for name, value in given.items() if name in began and began[name] != value]
        if differing:
            pairs = ", ".join(f"{name} {_text(given[name])} instead of {_text(began[name])}" for name in differing)
            raise OtherOptions(f"{pairs}: the training in {folder} began with the latter; choose another --out")
        return
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(given, indent=1) + "\n", "utf-8")


def _text(value: Any) -> str:
    """A value as on the command line."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
