"""LibreTranslate's calls, where its key stands, and its errors: `{"error": TEXT}`."""

from starlette.responses import JSONResponse, Response

from regard_service.errors import ModelNotFound, Unauthenticated, Unsupported
from regard_service.http.doors.door import Door, DoorCall, bearer_token
from regard_service.http.doors.given import Given
from regard_service.http.doors.libretranslate.catalogue import frontend_settings, health, languages, read_nothing
from regard_service.http.doors.libretranslate.described import describe
from regard_service.http.doors.libretranslate.files import (
    DOWNLOAD,
    PREFIX,
    download,
    read_download,
    read_file_translation,
    translate_file,
)
from regard_service.http.doors.libretranslate.texts import (
    detect,
    read_detection,
    read_suggestion,
    read_translation,
    suggest,
    translate,
)
from regard_service.http.problems import Problem

KEY = "api_key"
_NO_KEY = f"{KEY}: is missing, or is no token that this server knows"

# LibreTranslate's clients know 400, 403 (a bad key) and 429 (too many requests); they take others for faults.
_STATUSES = {
    Unauthenticated.reason: 403,
    ModelNotFound.reason: 400,
    Unsupported.reason: 400,
}


def refuse(problem: Problem) -> Response:
    """Writes an error as LibreTranslate's clients read it; every bad field is named in the text."""
    response = problem.response()
    headers = {"retry-after": response.headers["retry-after"]} if "retry-after" in response.headers else {}
    status = _STATUSES.get(problem.reason, problem.status)
    is_unknown = problem.reason == Unauthenticated.reason
    return JSONResponse({"error": _NO_KEY if is_unknown else problem.detail}, status, headers)


def _token(given: Given) -> str | None:
    return next((value for name, value in given.query if name == KEY), None) or bearer_token(given)


def _token_in_body(given: Given) -> str | None:
    key = given.fields.get(KEY)
    return key if isinstance(key, str) and key else None


LIBRETRANSLATE = Door(
    name="libretranslate",
    prefix=PREFIX,
    calls=(
        DoorCall("Translate", ("POST",), "/translate", read_translation, translate),
        DoorCall("Detect", ("POST",), "/detect", read_detection, detect),
        DoorCall("Languages", ("GET",), "/languages", read_nothing, languages, scope=None),
        DoorCall("TranslateFile", ("POST",), "/translate_file", read_file_translation, translate_file),
        DoorCall("DownloadFile", ("GET",), f"{DOWNLOAD}/{{filename}}", read_download, download, scope=None),
        DoorCall("Suggest", ("POST",), "/suggest", read_suggestion, suggest),
        DoorCall("FrontendSettings", ("GET",), "/frontend/settings", read_nothing, frontend_settings, scope=None),
        DoorCall("Health", ("GET",), "/health", read_nothing, health, scope=None),
    ),
    refuse=refuse,
    describe=describe,
    token=_token,
    token_in_body=_token_in_body,
)
