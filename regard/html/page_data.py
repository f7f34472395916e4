"""The data of a page: its JSON, and the weights of large maps in elements behind the script.

A browser parses a page from the top, and parsing a megabyte of weights takes longer than drawing a map. So the JSON
before the script has the map that the page shows first, and others as long as they are small; the browser parses the
rest while the first map is on the screen.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format

from regard.values.outputs import Output

_MAX_EARLY_BYTES = 64 * 1024  # of base64 before the script, beside the map that the page shows first

# The order in which the view lists kinds of maps, by their names in JSON; it shows the first that the result has.
_KINDS = tuple(f"ATTENTION_KIND_{kind}" for kind in ("ALIGNMENT", "CROSS", "ROLLOUT", "ENCODER_SELF", "DECODER_SELF"))


@dataclass(frozen=True)
class PageData:
    """The data of a page.

    Attributes:
        json: the JSON that the script reads, in ASCII and without "<", which could end its element. A map whose weights
            are behind the script has, instead of `data`, the id of their element as `numbers`.
        maps: the base64 of each map behind the script, by the id of its element.
    """

    json: str
    maps: dict[str, str]


def split_data(result: Output, picture: str | None) -> PageData:
    """Splits the data of a result; the picture is a data URL."""
    message: dict[str, Any] = json_format.MessageToDict(result.message, preserving_proto_field_name=True)
    maps = {}
    for number, attention_map in enumerate(_late_maps(message)):
        attention_map["numbers"] = f"numbers-{number}"
        maps[attention_map["numbers"]] = attention_map.pop("data")
    value = {"result": message, "picture": picture}
    text = json.dumps(value, separators=(",", ":"))
    return PageData(text.replace("<", "\\u003c"), maps)


def _late_maps(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the maps whose weights go behind the script, kind by kind."""
    room = _MAX_EARLY_BYTES
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
