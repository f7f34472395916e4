"""The OpenAPI document of OpenAI's door."""

from regard_service.http.doors.openapi import ERRORS_OF_MODELS, Json, Operation, answer, array, document, object_of

_TEXT: Json = {"type": "string"}
_OR_NULL: Json = {"type": ["string", "null"]}
_COUNT: Json = {"type": "integer"}
_MODEL: Json = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": 'Name of a loaded model; with "@" and a version that version.',
    "schema": _TEXT,
}
_REQUEST: Json = {
    "type": "object",
    "required": ["input", "model"],
    "properties": {
        "input": {"oneOf": [_TEXT, array(_TEXT)], "description": "A text or a list of texts; no token ids."},
        "model": {"type": "string", "description": 'Name of a loaded model; with "@" and a version that version.'},
        "encoding_format": {
            "type": "string",
            "enum": ["float", "base64"],
            "description": "How vectors are written: as numbers, or as base64 of float32, little-endian.",
        },
        "dimensions": {"type": "integer", "description": "None but the model's own: vectors are not cut."},
        "user": {"type": "string", "description": "No effect."},
    },
}
_VECTOR: Json = object_of(
    object=_TEXT, index=_COUNT, embedding={"oneOf": [array({"type": "number"}), _TEXT], "description": "Of length 1."}
)
_DESCRIBED = object_of(id=_TEXT, object=_TEXT, created=_COUNT, owned_by=_TEXT)

_OPERATIONS = (
    Operation(
        "Embed",
        "post",
        "/v1/embeddings",
        "Encodes texts",
        "A vector of length 1 for each text.",
        answer=answer(
            "The vectors, in the order of the texts.",
            object_of(
                object=_TEXT,
                data=array(_VECTOR),
                model=_TEXT,
                usage=object_of(prompt_tokens=_COUNT, total_tokens=_COUNT),
            ),
        ),
        content={"application/json": _REQUEST},
    ),
    Operation(
        "ListModels",
        "get",
        "/v1/models",
        "Lists the models that encode",
        "Those that serve.",
        answer=answer("The models.", object_of(object=_TEXT, data=array(_DESCRIBED))),
    ),
    Operation(
        "ShowModel",
        "get",
        "/v1/models/{model}",
        "Describes a model",
        "404 if there is none of that name, 503 if it is not ready.",
        answer=answer("The model.", _DESCRIBED),
        parameters=(_MODEL,),
    ),
)

_ERRORS = {
    "400": "A field is bad; `param` names it.",
    **ERRORS_OF_MODELS,
}


def describe(version: str) -> Json:
    """Returns the document."""
    return document(
        title="OpenAI's embeddings on Regard",
        version=version,
        prefix="/openai",
        operations=_OPERATIONS,
        errors=_ERRORS,
        error=object_of(error=object_of(message=_TEXT, type=_TEXT, param=_OR_NULL, code=_OR_NULL)),
        security={"bearer": {"type": "http", "scheme": "bearer", "description": "A token of the tokens file."}},
    )
