"""Hugging Face's calls and errors: `{"error": TEXT}`. A token is that of the client (`token=...`)."""

from starlette.responses import JSONResponse, Response

from regard_service.http.doors.door import Door, DoorCall
from regard_service.http.doors.hugging_face.described import describe
from regard_service.http.doors.hugging_face.inputs import read_inference, read_model
from regard_service.http.doors.hugging_face.tasks import health, infer, info
from regard_service.http.problems import Problem


def refuse(problem: Problem) -> Response:
    """Writes an error as Hugging Face's client reads it: it shows the text of `error`."""
    response = problem.response()
    kept = {name: response.headers[name] for name in ("retry-after", "www-authenticate") if name in response.headers}
    return JSONResponse({"error": problem.detail}, problem.status, kept)


HUGGING_FACE = Door(
    name="hugging_face",
    prefix="/hugging-face",
    calls=(
        DoorCall("Infer", ("POST",), "/{model}", read_inference, infer),
        DoorCall("Info", ("GET",), "/{model}/info", read_model, info),
        DoorCall("Health", ("GET",), "/{model}/health", read_model, health),
    ),
    refuse=refuse,
    describe=describe,
)
