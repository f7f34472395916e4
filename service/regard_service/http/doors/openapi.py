"""OpenAPI documents of doors."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# Of doors whose calls name a model, by status.
ERRORS_OF_MODELS = {
    "401": "The token is missing or unknown.",
    "403": "The token, or the site that made the request, does not allow this call.",
    "404": "There is no model of that name.",
    "429": "The queue is full, or the token's quota is used up; `retry-after` says when to return.",
    "503": "The model is loading, or the server is shutting down.",
    "default": "Any other error.",
}


@dataclass(frozen=True)
class Operation:
    """A call of a door as its document describes it.

    Attributes:
        call: the call's name.
        verb: in lower case.
        path: below the door's prefix.
        answer: by status, as `answer` makes it.
        content: schemas of the body, by media type.
        parameters: as OpenAPI has them.
        is_open: whether the call needs no token.
    """

    call: str
    verb: str
    path: str
    summary: str
    description: str
    answer: Json
    content: Mapping[str, Json] = field(default_factory=dict)
    parameters: tuple[Json, ...] = ()
    is_open: bool = False


def answer(description: str, schema: Json, media_type: str = "application/json", status: str = "200") -> Json:
    """Returns the response of a call that succeeds."""
    return {status: {"description": description, "content": {media_type: {"schema": schema}}}}


def object_of(**properties: Json) -> Json:
    """Returns the schema of an object, all of whose properties are there."""
    return {"type": "object", "required": [*properties], "properties": properties}


def array(items: Json) -> Json:
    """Returns the schema of a list."""
    return {"type": "array", "items": items}


def document(
    *,
    title: str,
    version: str,
    prefix: str,
    operations: Iterable[Operation],
    errors: Mapping[str, str],
    error: Json,
    error_media_type: str = "application/json",
    security: Mapping[str, Json],
) -> Json:
    """Returns a door's document.

    Args:
        errors: descriptions by status; each has the schema `error`.
        security: schemes by name; a caller needs one of them, or, on a server without tokens, none.
    """
    responses = {
        status: {"description": text, "content": {error_media_type: {"schema": {"$ref": "#/components/schemas/Error"}}}}
        for status, text in errors.items()
    }
    paths: dict[str, Json] = {}
    for each in operations:
        paths.setdefault(prefix + each.path, {})[each.verb] = _operation(each, errors)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server."}],
        "security": [{}, *({name: []} for name in security)],
        "paths": paths,
        "components": {
            "schemas": {"Error": error},
            "responses": {_name(status): response for status, response in responses.items()},
            "securitySchemes": dict(security),
        },
    }


def field_names(part: object) -> Iterator[str]:
    """Yields the names of the properties and parameters in a document, or in a part of it."""
    if isinstance(part, list):
        for item in part:
            yield from field_names(item)
    elif isinstance(part, dict):
        yield from part.get("properties", ())
        if "in" in part and "schema" in part:
            yield part["name"]
        for item in part.values():
            yield from field_names(item)


def _operation(each: Operation, errors: Mapping[str, str]) -> Json:
    described: Json = {
        "operationId": f"{each.call}By{each.verb.capitalize()}",
        "summary": each.summary,
        "description": each.description,
        "parameters": [*each.parameters],
        "responses": each.answer | {s: {"$ref": f"#/components/responses/{_name(s)}"} for s in errors},
    }
    if each.content:
        content = {media_type: {"schema": schema} for media_type, schema in each.content.items()}
        described["requestBody"] = {"required": True, "content": content}
    if each.is_open:
        described["security"] = []
    return described


def _name(status: str) -> str:
    return "Error" if status == "default" else f"Error{status}"
