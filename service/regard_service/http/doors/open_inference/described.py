"""The OpenAPI document of the Open Inference Protocol's door."""

from collections.abc import Iterator

from regard_service.http.doors.openapi import Json, Operation, answer, array, document, object_of

PREFIX = "/v2"

_TEXT: Json = {"type": "string"}
_SHAPE: Json = array({"type": "integer"}) | {"description": "-1 is an axis whose length differs between requests."}
_PARAMETERS: Json = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
_TENSOR = object_of(name=_TEXT, datatype={"enum": ["BYTES", "FP32", "INT32"]}, shape=_SHAPE)
_METADATA = object_of(name=_TEXT, versions=array(_TEXT), platform=_TEXT, inputs=array(_TENSOR), outputs=array(_TENSOR))
_LENGTH: Json = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "Length of the JSON, in bytes, if tensors follow it. Unset: the whole body is JSON.",
    "schema": {"type": "integer", "minimum": 0},
}
_INFER: Json = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": _TEXT,
        "parameters": _PARAMETERS
        | {"description": "Those of gRPC, and binary_data_output: whether outputs are bytes behind the JSON."},
        "inputs": array(
            {
                "type": "object",
                "required": ["name", "datatype", "shape"],
                "properties": {
                    "name": _TEXT,
                    "datatype": {"const": "BYTES"},
                    "shape": array({"type": "integer"}),
                    "parameters": _PARAMETERS | {"description": "binary_data_size: bytes behind the JSON."},
                    "data": array({}) | {"description": "The elements, row by row: texts; of pictures base64."},
                },
            }
        ),
        "outputs": array(
            {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": _TEXT,
                    "parameters": _PARAMETERS | {"description": "binary_data: whether it follows the JSON as bytes."},
                },
            }
        ),
    },
}
_INFERRED: Json = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {
        "id": _TEXT,
        "model_name": _TEXT,
        "model_version": _TEXT,
        "outputs": array(
            {
                "type": "object",
                "required": ["name", "datatype", "shape"],
                "properties": {
                    **_TENSOR["properties"],
                    "data": array({"type": ["string", "number"]}),
                    "parameters": object_of(binary_data_size={"type": "integer"}),
                },
            }
        ),
    },
}


def _in_path(*names: str) -> tuple[Json, ...]:
    return tuple({"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names)


def _of_model(kind: str, path: str, *names: str) -> Iterator[Operation]:
    """Yields the calls about a model, or about a version of it."""
    parameters = _in_path(*names)
    metadata = answer("The tensors.", _METADATA)
    yield Operation(f"{kind}Metadata", "get", path, "Describes the tensors", "", metadata, parameters=parameters)
    ready = answer("It serves.", object_of(name=_TEXT, ready={"const": True}))
    yield Operation(
        f"{kind}Ready", "get", f"{path}/ready", "Says whether the model serves", "", ready, parameters=parameters
    )
    config = answer("Triton's ModelConfig.", {"type": "object"})
    yield Operation(
        f"{kind}Config", "get", f"{path}/config", "Describes them in Triton's form", "", config, parameters=parameters
    )
    yield Operation(
        f"{kind}Infer",
        "post",
        f"{path}/infer",
        "Runs the model",
        "A request that names no outputs gets all of them. Unknown inputs, outputs and parameters are errors.",
        answer("The outputs: JSON, or JSON with bytes behind it.", _INFERRED),
        content={"application/json": _INFER, "application/octet-stream": {"type": "string"}},
        parameters=(*parameters, _LENGTH),
    )


_OPERATIONS = (
    Operation(
        "ServerMetadata",
        "get",
        "",
        "Names the server",
        "",
        answer("The server.", object_of(name=_TEXT, version=_TEXT, extensions=array(_TEXT))),
    ),
    Operation(
        "ServerLive",
        "get",
        "/health/live",
        "Says that the server answers",
        "Needs no token.",
        answer("It does.", object_of(live={"type": "boolean"})),
        is_open=True,
    ),
    Operation(
        "ServerReady",
        "get",
        "/health/ready",
        "Says whether the models serve",
        "Needs no token. 503 if they do not.",
        answer("They do.", object_of(ready={"type": "boolean"})),
        is_open=True,
    ),
    *_of_model("Model", "/models/{model}", "model"),
    *_of_model("Version", "/models/{model}/versions/{version}", "model", "version"),
)
_ERRORS = {
    "400": "A field is missing, bad or unknown; the text names it.",
    "401": "A token is needed and missing, or unknown.",
    "403": "The token, or the site that made the request, does not allow this call.",
    "404": "There is no such model, version or language.",
    "413": "The body is too large.",
    "429": "The queue is full, or the token's quota is used up; `retry-after` says when to return.",
    "503": "The model is loading, or the server is shutting down.",
    "default": "Any other error.",
}


def describe(version: str) -> Json:
    """Returns the document."""
    return document(
        title="The Open Inference Protocol on Regard",
        version=version,
        prefix=PREFIX,
        operations=_OPERATIONS,
        errors=_ERRORS,
        error=object_of(error={"type": "string", "description": "What went wrong, in words."}),
        security={
            "bearer": {"type": "http", "scheme": "bearer", "description": "A token of the server's tokens file."}
        },
    )
