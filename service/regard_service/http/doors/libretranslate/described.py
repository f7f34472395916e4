"""The OpenAPI document of LibreTranslate's door."""

from regard_service.http.doors.openapi import Json, Operation, answer, array, document, object_of

PREFIX = "/libretranslate"

_TEXT: Json = {"type": "string"}
_LANGUAGE = object_of(
    code={"type": "string", "description": "Its code, as `source` and `target` take it.", "examples": ["de"]},
    name={"type": "string", "description": "Its name in English.", "examples": ["German"]},
    targets=array(_TEXT) | {"description": "Codes of the languages that it can be translated into."},
)

_OPERATIONS = (
    Operation(
        "Languages",
        "get",
        "/languages",
        "Lists the languages",
        "Every language that a loaded model reads or writes. Needs no key.",
        answer=answer("The languages.", array(_LANGUAGE)),
        is_open=True,
    ),
    Operation(
        "Health",
        "get",
        "/health",
        "Says that the server answers",
        "Needs no key.",
        answer=answer("The server answers.", object_of(status=_TEXT)),
        is_open=True,
    ),
)

_ERRORS = {
    "400": "A field is missing or bad, or there is no such language; the text names the field.",
    "403": "The key is missing or unknown, or a page of another site made the request.",
    "429": "The queue is full, or the key's quota is used up; `retry-after` says when to return.",
    "default": "Any other error.",
}
_ERROR = object_of(error={"type": "string", "description": "What went wrong, in words."})


def describe(version: str) -> Json:
    """Returns the document."""
    return document(
        title="LibreTranslate's API on Regard",
        version=version,
        prefix=PREFIX,
        operations=_OPERATIONS,
        errors=_ERRORS,
        error=_ERROR,
        security={
            "key": {
                "type": "apiKey",
                "in": "query",
                "name": "api_key",
                "description": "A token of the server's tokens file; as a field of the body it is the same.",
            },
            "bearer": {"type": "http", "scheme": "bearer", "description": "The same token as a header."},
        },
    )
