"""Writes messages as the JSON of the API: protobuf's, with the field names of the .proto."""

import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def write_json(message: Message) -> bytes:
    """Returns a message as JSON, in UTF-8.

    Lists of the message are written one value at a time: the encoder holds the interpreter, and other threads have it
    in between.
    """
    value: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return ("{" + ",".join(f"{_ENCODER.encode(name)}:{_text(item)}" for name, item in value.items()) + "}").encode()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(_ENCODER.encode, value)) + "]"
    return _ENCODER.encode(value)
