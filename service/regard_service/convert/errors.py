"""Errors: from the domain's tree to gRPC statuses with google.rpc details."""

from dataclasses import dataclass
from functools import cache

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import (  # type: ignore[import-untyped]
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    RetryInfo,
)
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from grpc import StatusCode

from regard_service.errors import (
    DeadlinePassed,
    Draining,
    FieldViolation,
    Forbidden,
    InvalidInput,
    LoadFailed,
    ModelLimit,
    ModelNotFound,
    NotReady,
    OutOfMemory,
    Overloaded,
    ServiceError,
    Unauthenticated,
    Unsupported,
    is_out_of_memory,
)

DOMAIN = "regard"
DETAILS_KEY = "grpc-status-details-bin"
INTERNAL_MESSAGE = "internal error; the server's log has the cause"

# Clients refuse trailers of more than 8 KiB, so both text and details are kept well below.
MAX_MESSAGE_BYTES = 1024
MAX_DETAILS_BYTES = 3072

CODES: dict[type[ServiceError], StatusCode] = {
    InvalidInput: StatusCode.INVALID_ARGUMENT,
    ModelNotFound: StatusCode.NOT_FOUND,
    Unsupported: StatusCode.UNIMPLEMENTED,
    Overloaded: StatusCode.RESOURCE_EXHAUSTED,
    Unauthenticated: StatusCode.UNAUTHENTICATED,
    Forbidden: StatusCode.PERMISSION_DENIED,
    NotReady: StatusCode.UNAVAILABLE,
    LoadFailed: StatusCode.FAILED_PRECONDITION,
    ModelLimit: StatusCode.RESOURCE_EXHAUSTED,
    Draining: StatusCode.UNAVAILABLE,
    DeadlinePassed: StatusCode.DEADLINE_EXCEEDED,
    ServiceError: StatusCode.INTERNAL,
}


@dataclass(frozen=True)
class ErrorStatus:
    """How a call ends that fails.

    Attributes:
        reason: UPPER_SNAKE, as in the ErrorInfo.
        details: a serialized google.rpc.Status, for the trailer `grpc-status-details-bin`.
    """

    code: StatusCode
    message: str
    reason: str
    details: bytes


def write_error(error: BaseException) -> ErrorStatus:
    """The status of an error. One that is no ServiceError, nor a lack of memory, becomes INTERNAL and tells nothing."""
    if not isinstance(error, ServiceError) and is_out_of_memory(error):
        error = OutOfMemory()
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), StatusCode.INTERNAL)
    reason, message = ServiceError.reason, INTERNAL_MESSAGE
    if isinstance(error, ServiceError) and code is not StatusCode.INTERNAL:
        reason, message = error.reason, _shortened(str(error))
    status = Status(code=code.value[0], message=message, details=[_error_info(reason)])
    if isinstance(error, InvalidInput):
        status.details.add().Pack(_bad_request(error.violations))
    if isinstance(error, LoadFailed):
        status.details.add().Pack(_precondition_failure(error))
    if isinstance(error, Overloaded):
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return ErrorStatus(code, message, reason, status.SerializeToString())


@cache
def _error_info(reason: str) -> AnyMessage:
    """Packed once for each of the few reasons: an overloaded server says one of them for every refused call."""
    packed = AnyMessage()
    packed.Pack(ErrorInfo(reason=reason, domain=DOMAIN))
    return packed


def _bad_request(violations: list[FieldViolation]) -> BadRequest:
    """Every violation, or the first ones and how many more there are if they would not fit into the trailers."""
    listed = BadRequest()
    for position, violation in enumerate(violations):
        entry = BadRequest.FieldViolation(field=violation.field, description=violation.description)
        if listed.ByteSize() + entry.ByteSize() > MAX_DETAILS_BYTES:
            num_more = len(violations) - position
            listed.field_violations.add(field="request", description=f"and {num_more} more violations")
            break
        listed.field_violations.append(entry)
    return listed


def _precondition_failure(error: LoadFailed) -> PreconditionFailure:
    """Every reason, or the first ones and how many more there are if they would not fit into the trailers."""
    listed = PreconditionFailure()
    for position, reason in enumerate(error.reasons):
        entry = PreconditionFailure.Violation(type="BUNDLE", subject=error.model, description=_shortened(reason))
        if listed.ByteSize() + entry.ByteSize() > MAX_DETAILS_BYTES:
            num_more = len(error.reasons) - position
            listed.violations.add(type="BUNDLE", subject=error.model, description=f"and {num_more} more reasons")
            break
        listed.violations.append(entry)
    return listed


def _shortened(message: str) -> str:
    raw = message.encode("utf-8", errors="replace")
    if len(raw) <= MAX_MESSAGE_BYTES:
        return raw.decode("utf-8")
    return raw[:MAX_MESSAGE_BYTES].decode("utf-8", errors="ignore") + " ..."
