"""Writes errors as gRPC statuses with google.rpc details."""

from dataclasses import dataclass
from functools import cache

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    RetryInfo,
)
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from regard_service.errors import (
    BodyTooLarge,
    DeadlinePassed,
    DocumentNotFound,
    Draining,
    Forbidden,
    GlossaryNotFound,
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

# Clients refuse trailers of more than 8 KiB. Text and details together stay below half of that.
MAX_MESSAGE_BYTES = 1024
MAX_DETAILS_BYTES = 3072

CODES: dict[type[ServiceError], StatusCode] = {
    InvalidInput: StatusCode.INVALID_ARGUMENT,
    BodyTooLarge: StatusCode.RESOURCE_EXHAUSTED,
    ModelNotFound: StatusCode.NOT_FOUND,
    GlossaryNotFound: StatusCode.NOT_FOUND,
    DocumentNotFound: StatusCode.NOT_FOUND,
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
    """The status of a failed call.

    Attributes:
        reason: UPPER_SNAKE, as in the ErrorInfo.
        details: a serialized google.rpc.Status, for the trailer `grpc-status-details-bin`.
    """

    code: StatusCode
    message: str
    reason: str
    details: bytes


def write_status(error: BaseException) -> ErrorStatus:
    """Returns the status of an error. An error that is no ServiceError and no lack of memory becomes INTERNAL with a
    fixed message.
    """
    if not isinstance(error, ServiceError) and is_out_of_memory(error):
        error = OutOfMemory()
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), StatusCode.INTERNAL)
    reason, message = ServiceError.reason, INTERNAL_MESSAGE
    if isinstance(error, ServiceError) and code is not StatusCode.INTERNAL:
        reason, message = error.reason, _shortened(str(error))
    status = Status(code=code.value[0], message=message, details=[_error_info(reason)])
    if isinstance(error, InvalidInput):
        status.details.add().Pack(_bad_request(error))
    if isinstance(error, LoadFailed):
        status.details.add().Pack(_precondition_failure(error))
    if isinstance(error, Overloaded):
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return ErrorStatus(code, message, reason, status.SerializeToString())


@cache
def _error_info(reason: str) -> AnyMessage:
    """Packs an ErrorInfo. Cached: an overloaded server sends the same one with every refused call."""
    packed = AnyMessage()
    packed.Pack(ErrorInfo(reason=reason, domain=DOMAIN))
    return packed


def _bad_request(error: InvalidInput) -> BadRequest:
    """Lists the violations; of more than the trailers hold, the first ones and the number of the others."""
    listed = BadRequest()
    num_more = error.num_more
    for position, violation in enumerate(error.violations):
        entry = BadRequest.FieldViolation(field=violation.field, description=violation.description)
        if listed.ByteSize() + entry.ByteSize() > MAX_DETAILS_BYTES:
            num_more += len(error.violations) - position
            break
        listed.field_violations.append(entry)
    if num_more:
        listed.field_violations.add(field="request", description=f"and {num_more} more violations")
    return listed


def _precondition_failure(error: LoadFailed) -> PreconditionFailure:
    """Lists every reason; of more than the trailers hold, the first ones and the number of the others."""
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


OUT_OF_MEMORY = write_status(OutOfMemory())
"""The status of a lack of memory, made while there is some."""
