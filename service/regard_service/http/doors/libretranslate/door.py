"""LibreTranslate's calls, where its key stands, and its errors: `{"error": TEXT}`."""

from starlette.responses import JSONResponse, Response

from regard_service.http.doors.door import Door, DoorCall, bearer_token
from regard_service.http.doors.given import Given
from regard_service.http.doors.libretranslate.catalogue import health, languages
from regard_service.http.doors.libretranslate.described import describe
from regard_service.http.problems import Problem

KEY = "api_key"

# LibreTranslate's clients know 400, 403 (a bad key) and 429 (too many requests); they take others for faults.
_STATUSES = {401: 403, 404: 400, 501: 400}


def refuse(problem: Problem) -> Response:
    """Writes an error as LibreTranslate's clients read it; every bad field is named in the text."""
    response = problem.response()
    headers = {"retry-after": response.headers["retry-after"]} if "retry-after" in response.headers else {}
    status = problem.status if problem.reason == "PATH_NOT_FOUND" else _STATUSES.get(problem.status, problem.status)
    return JSONResponse({"error": problem.detail}, status, headers)


def _token(given: Given) -> str | None:
    return next((value for name, value in given.query if name == KEY), None) or bearer_token(given)


def _token_in_body(given: Given) -> str | None:
    key = given.fields.get(KEY)
    return key if isinstance(key, str) and key else None


def _nothing(given: Given) -> None:
    """Reads a request without fields."""


LIBRETRANSLATE = Door(
    name="libretranslate",
    prefix="/libretranslate",
    calls=(
        DoorCall("Languages", ("GET",), "/languages", _nothing, languages, scope=None),
        DoorCall("Health", ("GET",), "/health", _nothing, health, scope=None),
    ),
    refuse=refuse,
    describe=describe,
    token=_token,
    token_in_body=_token_in_body,
)
