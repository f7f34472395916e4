"""The door's calls and errors: `{"error": {"message": TEXT, ...}}`. A token is the client's `api_key`."""

from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from regard_service.http.doors.door import Door, DoorCall
from regard_service.http.doors.openai.described import describe
from regard_service.http.doors.openai.embeddings import embed, list_models, show_model
from regard_service.http.doors.openai.inputs import read_embeddings, read_model, read_nothing
from regard_service.http.problems import Problem

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_MODEL_NOT_FOUND = "MODEL_NOT_FOUND"


def refuse(problem: Problem) -> Response:
    """Writes an error as OpenAI's clients read it: `message` in words, `param` the first bad field."""
    response = problem.response()
    kept = {name: response.headers[name] for name in ("retry-after", "www-authenticate") if name in response.headers}
    is_server = problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    error = {
        "message": problem.detail,
        "type": _TYPES.get(problem.status, "server_error" if is_server else "invalid_request_error"),
        "param": problem.violations[0]["field"] if problem.violations else None,
        "code": "model_not_found" if problem.reason == _MODEL_NOT_FOUND else _CODES.get(problem.status),
    }
    return JSONResponse({"error": error}, problem.status, kept)


OPENAI = Door(
    name="openai",
    prefix="/openai",
    calls=(
        DoorCall("Embed", ("POST",), "/v1/embeddings", read_embeddings, embed),
        DoorCall("ListModels", ("GET",), "/v1/models", read_nothing, list_models),
        DoorCall("ShowModel", ("GET",), "/v1/models/{model}", read_model, show_model),
    ),
    refuse=refuse,
    describe=describe,
)
