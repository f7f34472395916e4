"""gRPC statuses and their details (google.rpc.BadRequest, ErrorInfo, RetryInfo) as the client's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from regard.errors import (
    AccessDenied,
    CallError,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    NotFound,
    Overloaded,
    ServerFault,
    Unavailable,
    Unimplemented,
)
from regard.errors.connections import plain

# gRPC's convention: the trailing metadata key whose value is a serialized google.rpc.Status.
_DETAILS_KEY = "grpc-status-details-bin"

_CONNECTION_CODES = ("UNAVAILABLE", "UNIMPLEMENTED", "UNKNOWN")
"""Codes with which gRPC reports that there is no connection, or no gRPC behind it; a server gives a reason."""

_ERROR_BY_CODE: dict[str, type[CallError]] = {
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


@contextmanager
def translated_errors() -> Iterator[None]:
    """Translates gRPC errors that are raised inside into the client's."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


def from_rpc_error(error: grpc.RpcError) -> CallError:
    """The client's error for an error of gRPC, from a blocking or an asyncio call."""
    # Both kinds of call raise an RpcError that is also the call, which grpc's types do not say.
    call: Any = error
    code = call.code().name
    metadata = call.trailing_metadata() or ()
    packed = next((value for key, value in metadata if key == _DETAILS_KEY), b"")
    details = _read_details(packed if isinstance(packed, bytes) else b"")
    message = call.details() or ""
    if code in _CONNECTION_CODES and not details[0]:
        message = plain(message)
    return error_class(code)(code, message, *details)


def error_class(code: str) -> type[CallError]:
    """The class of the errors with that name of a gRPC status."""
    return _ERROR_BY_CODE.get(code, ServerFault)


def _read_details(packed: bytes) -> tuple[str, tuple[FieldViolation, ...], float | None]:
    """Reason, violations and retry delay in seconds of a serialized google.rpc.Status; leaves out unreadable parts."""
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
        # A proxy may have cut the details off; the status itself still holds.
        pass
    return reason, tuple(violations), retry_after_s
