"""The OpenAPI document of the JSON API, generated from the API's descriptors."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from regard_service.http.json_api import ENDPOINTS, TIMEOUT_HEADER, Endpoint
from regard_service.http.problems import MEDIA_TYPE

Json = dict[str, Any]

_PROTO = "regard/v1/regard.proto"
_SCALARS: dict[int, Json] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
}
_PROBLEM: Json = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "reason", "violations"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Name of the gRPC status."},
        "reason": {"type": "string", "description": "UPPER_SNAKE, as in google.rpc.ErrorInfo."},
        "violations": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "description"],
                "properties": {"field": {"type": "string"}, "description": {"type": "string"}},
            },
        },
        "retry_after_s": {"type": "number", "description": "When to come back, in seconds."},
    },
}


def document(version: str) -> Json:
    """Returns the document. The .proto, whose names it uses, describes the fields' meanings and bounds."""
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.verb.lower()] = _operation(endpoint)
    outermost = [t for e in ENDPOINTS for t in (e.descriptor.input_type, e.descriptor.output_type)]
    messages = {message.name: message for each in outermost for message in _below(each)}
    enums = {f.enum_type.name: f.enum_type for m in messages.values() for f in m.fields if f.enum_type is not None}
    schemas = {name: _message(message) for name, message in sorted(messages.items())}
    schemas |= {name: {"type": "string", "enum": [v.name for v in enum.values]} for name, enum in sorted(enums.items())}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Regard",
            "version": version,
            "description": f"Attention models over HTTP: {_PROTO} in protobuf's JSON mapping, with the .proto's names.",
        },
        "paths": paths,
        "components": {"schemas": schemas | {"Problem": _PROBLEM}},
    }


def _below(message: Any) -> Iterator[Any]:
    """Yields a message's type and the types of all its fields, each once."""
    found, waiting = {}, [message]
    while waiting:
        each = waiting.pop()
        if each.full_name in found:
            continue
        found[each.full_name] = each
        waiting += [f.message_type for f in each.fields if _is_own(f.message_type)]
    yield from found.values()


def _is_own(message: Any) -> bool:
    return message is not None and message.file.name == _PROTO and not message.GetOptions().map_entry


def _message(message: Any) -> Json:
    return {"type": "object", "properties": {field.name: _field(field) for field in message.fields}}


def _field(field: Any) -> Json:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _single(kind.fields_by_name["value"])}
    return {"type": "array", "items": _single(field)} if field.is_repeated else _single(field)


def _single(field: Any) -> Json:
    if field.enum_type is not None:
        return _reference(field.enum_type.name)
    if field.message_type is None:
        return dict(_SCALARS[field.type])
    if not _is_own(field.message_type):
        return {"type": "string", "format": "date-time"}  # the API's only foreign type is Timestamp
    return _reference(field.message_type.name)


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(endpoint: Endpoint) -> Json:
    method = endpoint.descriptor
    media_type = "text/event-stream" if method.server_streaming else "application/json"
    schema = _reference(method.output_type.name)
    answer: Json = {"description": "The answer.", "content": {media_type: {"schema": schema}}}
    if method.server_streaming:
        answer["description"] = (
            "Events `started`, `token` and `finished`, each with the message that gRPC streams as its data; a call that"
            " fails on its way ends with `error`, whose data is a Problem."
        )
    problem = {"description": "What went wrong.", "content": {MEDIA_TYPE: {"schema": _reference("Problem")}}}
    by_query = method.server_streaming and endpoint.verb == "GET"
    operation: Json = {
        "operationId": f"{method.name}ByQuery" if by_query else method.name,
        "tags": [endpoint.service],
        "parameters": [_timeout(), *_parameters(endpoint)],
        "responses": {"200": answer, "default": problem},
    }
    if endpoint.verb == "POST":
        schema = _reference(method.input_type.name)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _timeout() -> Json:
    description = "Seconds that the call may take."
    return {"name": TIMEOUT_HEADER, "in": "header", "description": description, "schema": {"type": "number"}}


def _parameters(endpoint: Endpoint) -> list[Json]:
    """Returns the parameters of a query, which has no body: fields, and nested fields as "generation.num_beams"."""
    if endpoint.verb == "POST":
        return []
    return [
        {"name": path, "in": "path", "required": True, "schema": schema}
        if f"{{{path}}}" in endpoint.path
        else {"name": path, "in": "query", "schema": schema}
        for path, schema in _paths(endpoint.descriptor.input_type.fields, "")
    ]


def _paths(fields: Iterable[Any], prefix: str) -> Iterator[tuple[str, Json]]:
    for field in fields:
        if field.message_type is not None and not field.is_repeated:
            yield from _paths(field.message_type.fields, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", _field(field)
