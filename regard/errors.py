"""What a call can raise, mapped from gRPC statuses and their details (google.rpc.BadRequest, ErrorInfo, RetryInfo).

RegardError
├── MissingExtra         a part of Regard that is not installed; the message names the extra
├── BadResponse          an answer that breaks the API's own rules
└── CallError            the server, or the way to it, refused the call
    ├── InvalidArgument      bad fields, every one in `violations`
    ├── NotFound             no such model, language or style
    ├── FailedPrecondition   a bundle that cannot be loaded
    ├── Overloaded           the queue or a quota is full; `retry_after_s` says when to return
    ├── Unavailable          no server, or one that is loading or shutting down
    ├── DeadlineExceeded     the call's time is up
    ├── Cancelled            the call was cancelled
    ├── AccessDenied         a token is missing, wrong, or does not allow the call
    ├── Unimplemented        the server does not offer the call
    └── ServerFault          anything else
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

# Where a server puts a google.rpc.Status, by gRPC's convention.
_DETAILS_KEY = "grpc-status-details-bin"


class RegardError(Exception):
    """Base of all errors that Regard's client raises."""


class MissingExtra(RegardError):
    """A part of Regard that is not installed."""

    def __init__(self, purpose: str, extra: str, missing: str | None = None) -> None:
        lacking = f" (there is no module {missing})" if missing else ""
        super().__init__(f"{purpose} needs the extra '{extra}'{lacking}: pip install 'regard[{extra}]'")
        self.extra = extra


class BadResponse(RegardError):
    """An answer that breaks the API's own rules, such as a map with too few bytes for its shape."""


@dataclass(frozen=True)
class FieldViolation:
    """One bad field of a request: its path ("generation.num_beams", "texts[3]") and what is wrong with it."""

    field: str
    description: str


class CallError(RegardError):
    """A call that failed.

    Attributes:
        code: name of the gRPC status, such as "INVALID_ARGUMENT".
        message: what the server says, or gRPC for it.
        reason: the server's own UPPER_SNAKE reason; empty where it gives none.
        violations: every bad field.
        retry_after_s: when the server asks the caller to return, in seconds; None where it does not say.
    """

    def __init__(
        self,
        code: str,
        message: str,
        reason: str = "",
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s

    def to_dict(self) -> dict[str, object]:
        """The error as JSON has it."""
        violations = [{"field": v.field, "description": v.description} for v in self.violations]
        return {"code": self.code, "reason": self.reason, "message": self.message, "violations": violations}


class InvalidArgument(CallError):
    """Bad fields; `violations` lists every one."""

    @classmethod
    def of(cls, violations: Sequence[FieldViolation]) -> "InvalidArgument":
        """An error found before anything was sent."""
        message = "; ".join(f"{v.field}: {v.description}" for v in violations)
        return cls("INVALID_ARGUMENT", message, "INVALID_INPUT", violations)


class NotFound(CallError):
    """No such model, or none for the task, language or style."""


class FailedPrecondition(CallError):
    """A bundle that is damaged, or does not match its manifest."""


class Overloaded(CallError):
    """The queue is full, or the caller's quota is used up."""


class Unavailable(CallError):
    """No server, or one that is loading or shutting down."""


class DeadlineExceeded(CallError):
    """The call's time is up."""


class Cancelled(CallError):
    """The call was cancelled."""


class AccessDenied(CallError):
    """A token is missing, wrong, or does not allow the call."""


class Unimplemented(CallError):
    """The server does not offer the call."""


class ServerFault(CallError):
    """A fault of the server, or of something on the way to it."""


_BY_CODE: dict[str, type[CallError]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "OUT_OF_RANGE": InvalidArgument,
    "NOT_FOUND": NotFound,
    "FAILED_PRECONDITION": FailedPrecondition,
    "RESOURCE_EXHAUSTED": Overloaded,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
    "UNAUTHENTICATED": AccessDenied,
    "PERMISSION_DENIED": AccessDenied,
    "UNIMPLEMENTED": Unimplemented,
}


def from_rpc_error(error: grpc.RpcError) -> CallError:
    """The client's error for one of gRPC's, from a sync or an async call."""
    # Both kinds of call raise an RpcError that is also the call, which grpc's types do not say.
    call: Any = error
    code = call.code().name
    metadata = call.trailing_metadata() or ()
    packed = next((value for key, value in metadata if key == _DETAILS_KEY), b"")
    details = _read_details(packed if isinstance(packed, bytes) else b"")
    return _BY_CODE.get(code, ServerFault)(code, call.details() or "", *details)


def _read_details(packed: bytes) -> tuple[str, tuple[FieldViolation, ...], float | None]:
    """Reason, violations and delay of a serialized google.rpc.Status; what cannot be read is left out."""
    reason, retry_after_s = "", None
    violations: list[FieldViolation] = []
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    try:
        for detail in status_pb2.Status.FromString(packed).details:
            if detail.Unpack(info):
                reason = info.reason
            elif detail.Unpack(bad):
                violations += [FieldViolation(v.field, v.description) for v in bad.field_violations]
            elif detail.Unpack(retry):
                retry_after_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    except DecodeError:
        # A proxy may have cut the details; the status itself still stands.
        pass
    return reason, tuple(violations), retry_after_s


@contextmanager
def translated() -> Iterator[None]:
    """Turns gRPC's errors, raised inside, into the client's."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
