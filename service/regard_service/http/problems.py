"""Errors over HTTP: a gRPC status and its details as problem JSON (RFC 9457)."""

import math
from dataclasses import dataclass, field
from typing import Any

from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from starlette.responses import JSONResponse

from regard_service.convert.status import DETAILS_KEY, write_status
from regard_service.errors import BodyTooLarge
from regard_service.http.context import HttpContext

MEDIA_TYPE = "application/problem+json"

STATUSES: dict[StatusCode, int] = {
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.CANCELLED: 499,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}

_STATUSES_BY_REASON = {BodyTooLarge.reason: 413}


@dataclass(frozen=True)
class Problem:
    """A failed call, as its caller sees it.

    Attributes:
        status: the HTTP status.
        code: the name of the gRPC status.
        reason: UPPER_SNAKE, as in google.rpc.ErrorInfo.
        violations: every bad field, with a description.
        retry_after_s: the time after which to repeat the call, if known.
        title: "" is that of the code.
    """

    status: int
    code: str
    reason: str
    detail: str
    violations: list[dict[str, str]] = field(default_factory=list)
    retry_after_s: float | None = None
    title: str = ""

    @classmethod
    def of_call(cls, context: HttpContext) -> "Problem":
        """Returns the problem of an aborted call."""
        trailers = dict(context.trailing_metadata())
        return cls._of(context.code() or StatusCode.INTERNAL, context.details(), trailers.get(DETAILS_KEY, b""))

    @classmethod
    def of_error(cls, error: BaseException) -> "Problem":
        """Returns the problem of an error raised outside of a call."""
        status = write_status(error)
        return cls._of(status.code, status.message, status.details)

    @classmethod
    def _of(cls, code: StatusCode, message: str, packed: bytes) -> "Problem":
        reason, retry_after_s = "", None
        violations: list[dict[str, str]] = []
        info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
        for detail in Status.FromString(packed).details:
            if detail.Unpack(info):
                reason = info.reason
            elif detail.Unpack(bad):
                violations += [{"field": v.field, "description": v.description} for v in bad.field_violations]
            elif detail.Unpack(retry):
                retry_after_s = retry.retry_delay.ToMilliseconds() / 1000
        return cls(
            _STATUSES_BY_REASON.get(reason) or STATUSES.get(code, 500),
            code.name,
            reason,
            message,
            violations,
            retry_after_s,
        )

    def body(self) -> dict[str, Any]:
        """Returns the problem as JSON; `violations` is always present, `retry_after_s` if it is known."""
        body = {
            "type": "about:blank",
            "title": self.title or self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "reason": self.reason,
            "violations": self.violations,
        }
        return body if self.retry_after_s is None else body | {"retry_after_s": self.retry_after_s}

    def response(self, headers: dict[str, str] | None = None) -> JSONResponse:
        """Returns the response, with the headers that the problem implies."""
        headers = dict(headers or {})
        if self.retry_after_s is not None:
            headers["retry-after"] = str(math.ceil(self.retry_after_s))
        if self.status == STATUSES[StatusCode.UNAUTHENTICATED]:
            headers["www-authenticate"] = "Bearer"
        return JSONResponse(self.body(), self.status, headers, media_type=MEDIA_TYPE)
