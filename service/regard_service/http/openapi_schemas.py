"""The schemas of the API's messages and enums: their fields' types, bounds, defaults and comments."""

import json
import re
from functools import cache
from importlib import resources
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from regard_service.http.json_fields import listed

Json = dict[str, Any]

_SCALARS: dict[int, Json] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": ["integer", "string"], "format": "int64"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
}
_REQUIRED = {
    "CaptionRequest": ["images"],
    "StreamCaptionRequest": ["image"],
    "StreamSummarizeRequest": ["text"],
    "StreamTranslateRequest": ["text"],
    "SummarizeRequest": ["texts"],
    "TranslateDocumentRequest": ["document"],
    "TranslateRequest": ["texts"],
}
"""Fields without which a request is always refused. Answers leave out every field that has its default."""

# "[1, 16]", "(0, 1]" and "[1, the model's limit]" in a comment; "At least 1, at most 128" of a list or number.
_RANGE = re.compile(r"(?P<zero>0, or )?(?P<open>[\[(])(?P<low>-?[\d.]+), (?P<high>-?[\d.]+)?")
_AT_LEAST = re.compile(r"\bAt least (\d+)")
_AT_MOST = re.compile(r"\b[Aa]t most ([\d,]*\d)(?! characters| bytes)")
_UNSPECIFIED = re.compile(r"Unspecified: (?P<name>\w+)\.")


@cache
def _comments() -> dict[str, str]:
    text = resources.files("regard_service.http").joinpath("comments.json").read_text("utf-8")
    comments: dict[str, str] = json.loads(text)
    return comments


def comment_of(name: str) -> str:
    """Returns the comment of a message, a field ("GenerationConfig.num_beams"), a service or a method; of the file
    for "".
    """
    return _comments()[name]


def reference(name: str) -> Json:
    """Returns a reference to the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def enum_schema(enum: Any) -> Json:
    """Returns the schema of an enum: requests take short names and those of the .proto, answers have the latter."""
    values = [f"- `{value.name}`: {comment_of(f'{enum.name}.{value.name}')}" for value in enum.values]
    names = [*listed(enum), *(value.name for value in enum.values)]
    return {"type": "string", "enum": names, "description": "\n".join([comment_of(enum.name), "", *values])}


def message_schema(message: Any) -> Json:
    """Returns the schema of a message."""
    schema: Json = {
        "type": "object",
        "description": comment_of(message.name),
        "properties": {field.name: _described(message, field) for field in message.fields},
    }
    if message.name in _REQUIRED:
        schema["required"] = _REQUIRED[message.name]
    if message.name.endswith("Request"):
        schema["additionalProperties"] = False
    return schema


def field_schema(field: Any) -> Json:
    """Returns the schema of a field, without its comment."""
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _single(kind.fields_by_name["value"])}
    return {"type": "array", "items": _single(field)} if field.is_repeated else _single(field)


def _described(message: Any, field: Any) -> Json:
    comment = comment_of(f"{message.name}.{field.name}")
    if (message.name, field.name) == ("AttentionMap", "data"):
        nested: Json = {"type": "array", "description": 'With the encoding "json": nested lists of numbers.'}
        return {"description": comment, "oneOf": [_single(field), nested]}
    schema = field_schema(field)
    _bound(schema, field, comment)
    default = _UNSPECIFIED.match(comment[comment.rfind("Unspecified") :]) if field.enum_type is not None else None
    if default and default["name"] in listed(field.enum_type):
        schema["default"] = default["name"]
    return {"description": comment} | schema


def _bound(schema: Json, field: Any, comment: str) -> None:
    """Adds the bounds that a comment states."""
    ranges, at_least, at_most = list(_RANGE.finditer(comment)), _AT_LEAST.search(comment), _AT_MOST.search(comment)
    if field.is_repeated:
        if at_least:
            schema["minItems"] = int(at_least[1])
        if at_most:
            schema["maxItems"] = int(at_most[1].replace(",", ""))
    elif "format" in schema and ranges:
        low = min(_number("0" if each["zero"] else each["low"]) for each in ranges)
        highs = [_number(each["high"]) for each in ranges if each["high"]]
        schema["exclusiveMinimum" if ranges[0]["open"] == "(" else "minimum"] = low
        if highs:
            schema["maximum"] = max(highs)
    elif "format" in schema and at_least:
        schema["minimum"] = int(at_least[1])


def _number(text: str) -> float | int:
    return float(text) if "." in text else int(text)


def _single(field: Any) -> Json:
    if field.enum_type is not None:
        return reference(field.enum_type.name)
    if field.message_type is None:
        return dict(_SCALARS[field.type])
    if field.message_type.file is not field.containing_type.file:
        return {"type": "string", "format": "date-time"}  # the API's only foreign type is Timestamp
    return reference(field.message_type.name)
