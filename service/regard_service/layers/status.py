"""How a call ended."""

import asyncio
from typing import cast

import grpc
from grpc import StatusCode

from regard_service.layers.layer import Context


def code_of(context: Context, error: BaseException | None) -> StatusCode:
    """A call's status, by the exception that left it."""
    if error is None or isinstance(error, grpc.aio.AbortError):
        set_code = cast(StatusCode | None, context.code())  # None as long as nobody set one
        return set_code or StatusCode.OK
    if isinstance(error, asyncio.CancelledError | grpc.aio.BaseError):
        is_overdue = context.time_remaining() == 0
        return StatusCode.DEADLINE_EXCEEDED if is_overdue else StatusCode.CANCELLED
    return StatusCode.UNKNOWN


def code_label(code: StatusCode) -> str:
    """A status code as go-grpc-prometheus writes it: "OK", "Canceled", "InvalidArgument"."""
    if code is StatusCode.OK:
        return "OK"
    return "Canceled" if code is StatusCode.CANCELLED else code.name.title().replace("_", "")
