"""The OpenAPI document of the JSON API, from the API's descriptors and the comments of its .proto."""

from collections.abc import Iterable, Iterator
from typing import Any

from regard_service.http.json_api import ENDPOINTS, Endpoint
from regard_service.http.openapi_examples import EXAMPLES
from regard_service.http.openapi_schemas import Json, comment_of, enum_schema, field_schema, message_schema, reference
from regard_service.http.problems import MEDIA_TYPE
from regard_service.http.unary import TIMEOUT_HEADER

_PROTO = "regard/v1/regard.proto"
_TAGS = {"AttentionService": "Calls", "ModelService": "Models", "GlossaryService": "Glossaries"}
_STATUSES = {
    "400": "A field is out of its bounds, or the body is not JSON; `violations` lists every fault.",
    "401": "A token is needed and missing, or unknown.",
    "403": "The token, or the site that made the request, does not allow this call.",
    "404": "There is no model of that name, or none for that task, language or style.",
    "429": "The queue is full, or the caller's quota is used up; `retry-after` says when to return.",
    "503": "The models are loading, or the server is shutting down. Safe to retry elsewhere.",
    "default": "Any other error.",
}
_PROBLEM: Json = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code", "reason", "violations"],
    "properties": {
        "type": {"type": "string", "const": "about:blank", "description": "`reason` says more."},
        "title": {"type": "string", "description": "The code in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What went wrong, in words."},
        "code": {"type": "string", "description": "Name of the gRPC status."},
        "reason": {"type": "string", "description": "UPPER_SNAKE, as in google.rpc.ErrorInfo."},
        "violations": {
            "type": "array",
            "description": "Every bad field.",
            "items": {
                "type": "object",
                "required": ["field", "description"],
                "properties": {
                    "field": {"type": "string", "description": 'Its path, such as "generation.num_beams".'},
                    "description": {"type": "string", "description": "What it must be, and what it is."},
                },
            },
        },
        "retry_after_s": {"type": "number", "description": "When to come back, in seconds. Unset: unknown."},
    },
    "example": {
        "type": "about:blank",
        "title": "Invalid argument",
        "status": 400,
        "detail": "generation.num_beams: must be in [1, 16]; it is 99",
        "code": "INVALID_ARGUMENT",
        "reason": "INVALID_INPUT",
        "violations": [{"field": "generation.num_beams", "description": "must be in [1, 16]; it is 99"}],
    },
}


def document(version: str) -> Json:
    """Returns the document."""
    paths: dict[str, Json] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.verb.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Regard",
            "version": version,
            "summary": "Attention models over HTTP",
            "description": f"{_PROTO} in protobuf's JSON mapping, with the .proto's names.\n\n{comment_of('')}",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{}, {"bearer": []}],
        "tags": [{"name": tag, "description": comment_of(service)} for service, tag in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas() | {"Problem": _PROBLEM},
            "responses": {_response_name(status): _problem(text) for status, text in _STATUSES.items()},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the server's tokens file. A server without tokens file needs none. "
                    'Loading and unloading models needs the scope "admin".',
                }
            },
        },
    }


def _schemas() -> Json:
    bodies = [endpoint.descriptor.input_type for endpoint in ENDPOINTS if endpoint.verb == "POST"]
    outermost = [*bodies, *(endpoint.descriptor.output_type for endpoint in ENDPOINTS)]
    messages = {message.name: message for each in outermost for message in _below(each)}
    enums = {f.enum_type.name: f.enum_type for m in messages.values() for f in m.fields if f.enum_type is not None}
    schemas = {name: message_schema(message) for name, message in sorted(messages.items())}
    return schemas | {name: enum_schema(enum) for name, enum in sorted(enums.items())}


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


def _operation(endpoint: Endpoint) -> Json:
    method = endpoint.descriptor
    comment = comment_of(f"{endpoint.service}.{method.name}")
    by_query = method.server_streaming and endpoint.verb == "GET"
    operation: Json = {
        "operationId": f"{method.name}ByQuery" if by_query else method.name,
        "summary": comment.split(". ")[0].split("\n")[0].rstrip(".") + (", for EventSource" if by_query else ""),
        "description": comment,
        "tags": [_TAGS[endpoint.service]],
        "parameters": [_timeout(), *_parameters(endpoint)],
        "responses": {"200": _answer(method)}
        | {status: {"$ref": f"#/components/responses/{_response_name(status)}"} for status in _STATUSES},
    }
    if endpoint.verb == "POST":
        content: Json = {"schema": reference(method.input_type.name)}
        if method.input_type.name in EXAMPLES:
            content["examples"] = EXAMPLES[method.input_type.name]
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _answer(method: Any) -> Json:
    name = method.output_type.name
    if not method.server_streaming:
        return {"description": comment_of(name), "content": {"application/json": {"schema": reference(name)}}}
    kinds = [f"`{field.name}`" for field in method.output_type.fields]
    description = (
        f"Server-sent events {', '.join(kinds)}, each with a {name} as its data; a call that fails on its way ends with"
        " the event `error`, whose data is a Problem. A client reads the text line by line."
    )
    # A schema describes a body as a whole; generated clients pass this one on as a stream of text.
    schema = {"type": "string", "contentMediaType": "application/json", "contentSchema": reference(name)}
    return {"description": description, "content": {"text/event-stream": {"schema": schema}}}


def _response_name(status: str) -> str:
    return "Problem" if status == "default" else f"Problem{status}"


def _problem(description: str) -> Json:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": reference("Problem")}}}


def _timeout() -> Json:
    description = "Seconds that the call may take."
    schema = {"type": "number", "exclusiveMinimum": 0, "examples": [2.5]}
    return {"name": TIMEOUT_HEADER, "in": "header", "description": description, "schema": schema}


def _parameters(endpoint: Endpoint) -> list[Json]:
    """Returns the parameters of a path, and of a query, which has no body: fields, and nested fields as
    "generation.num_beams".
    """
    message = endpoint.descriptor.input_type
    in_path = [field for field in message.fields if f"{{{field.name}}}" in endpoint.path]
    parameters = [
        {"name": field.name, "in": "path", "required": True, "description": comment_of(f"{message.name}.{field.name}")}
        | {"schema": {"type": "string"}}
        for field in in_path
    ]
    if endpoint.verb == "GET":
        parameters += _query([field for field in message.fields if field not in in_path], "")
    return parameters


def _query(fields: Iterable[Any], prefix: str) -> Iterator[Json]:
    for field in fields:
        if field.message_type is not None and not field.is_repeated:
            yield from _query(field.message_type.fields, f"{prefix}{field.name}.")
        elif field.message_type is None:
            schema = field_schema(field)
            comment = comment_of(f"{field.containing_type.name}.{field.name}")
            yield {"name": f"{prefix}{field.name}", "in": "query", "description": comment, "schema": schema}
