"""Errors as DeepL's libraries read them: a status, and `{"message": TEXT, "detail": TEXT}`."""

from starlette.responses import JSONResponse, Response

from regard_service.errors import DeadlinePassed, ModelNotFound, Unsupported
from regard_service.http.problems import Problem

MAX_NAMED = 4

# 400: the libraries repeat a call that got 5xx. 403 is the only status that they take for a bad key.
_STATUSES = {401: 403, 501: 400}
_STATUSES_BY_REASON = {ModelNotFound.reason: 400, Unsupported.reason: 400, DeadlinePassed.reason: 400}
_MESSAGES = {
    400: "Bad request",
    403: "Authorization failed",
    404: "Not found",
    405: "Method not allowed",
    413: "Request entity too large",
    429: "Too many requests",
    503: "Resource currently unavailable",
}


def refuse(problem: Problem) -> Response:
    """Writes an error. `message` names the parameters, `detail` says what is wrong with each."""
    status = _STATUSES_BY_REASON.get(problem.reason) or _STATUSES.get(problem.status, problem.status)
    message = _MESSAGES.get(status, problem.title or problem.code.replace("_", " ").capitalize())
    names = list(dict.fromkeys(each["field"] for each in problem.violations))
    if names:
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        message = f"Bad value of {', '.join(names[:MAX_NAMED])}{more}"
    response = problem.response()
    headers = {"retry-after": response.headers["retry-after"]} if "retry-after" in response.headers else {}
    return JSONResponse({"message": message, "detail": problem.detail}, status, headers)
