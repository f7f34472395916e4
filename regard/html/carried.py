"""What a page carries of a result: its JSON, and behind the script the numbers of large maps.

A browser reads a page from the top, and a megabyte of numbers takes it longer than drawing a map does. So the map that
is shown first stands before the script, with others as far as they are small; the rest the browser reads while the
first is being looked at.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format

from regard.results import Result

_AT_ONCE = 64 * 1024  # bytes of base64 that may stand before the script beside the map that is shown first

# The order in which the view offers kinds of maps, by their names in JSON; it shows the first that there is.
_KINDS = tuple(f"ATTENTION_KIND_{kind}" for kind in ("ALIGNMENT", "CROSS", "ROLLOUT", "ENCODER_SELF", "DECODER_SELF"))


@dataclass(frozen=True)
class Carried:
    """The parts of a page that hold its data.

    Attributes:
        before: JSON that the script reads, in ASCII; cannot end the element it stands in. A map whose numbers stand
            behind the script has, in place of `data`, the id of their element as `numbers`.
        behind: base64 by the id of its element.
    """

    before: str
    behind: dict[str, str]


def carried(result: Result, picture: str | None) -> Carried:
    """Parts the data of a result; the picture is a data URL."""
    message: dict[str, Any] = json_format.MessageToDict(result.message, preserving_proto_field_name=True)
    behind = {}
    for number, attention_map in enumerate(_behind(message)):
        attention_map["numbers"] = f"numbers-{number}"
        behind[attention_map["numbers"]] = attention_map.pop("data")
    value = {"result": message, "picture": picture}
    text = json.dumps(value, separators=(",", ":"))
    return Carried(text.replace("<", "\\u003c"), behind)


def _behind(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the maps whose numbers need not be there at once, kind by kind."""
    room = _AT_ONCE
    is_first = True
    for kind in _KINDS:
        maps = [each for each in _maps(message) if each["kind"] == kind and "data" in each]
        size = sum(len(each["data"]) for each in maps)
        if is_first or size <= room:
            room -= 0 if is_first else size
        else:
            yield from maps
        is_first = is_first and not maps


def _maps(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from message.get("source_attention", ())
    for hypothesis in message.get("hypotheses", ()):
        yield from hypothesis.get("attention", ())
