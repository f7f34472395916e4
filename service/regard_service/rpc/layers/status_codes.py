"""The status code of a call that ended."""

import asyncio
from typing import cast

import grpc
from grpc import StatusCode

from regard_service.rpc.layers.layer import Context


def code_of(context: Context, error: BaseException | None) -> StatusCode:
    """Returns a call's status code. Args: error: the exception that ended the call."""
    if error is None or isinstance(error, grpc.aio.AbortError):
        set_code = cast(StatusCode | None, context.code())  # None until a code is set
        return set_code or StatusCode.OK
    if isinstance(error, asyncio.CancelledError | grpc.aio.BaseError):
        is_overdue = context.time_remaining() == 0
        return StatusCode.DEADLINE_EXCEEDED if is_overdue else StatusCode.CANCELLED
    return StatusCode.UNKNOWN


def code_label(code: StatusCode) -> str:
    """Returns a status code as go-grpc-prometheus writes it: "OK", "Canceled", "InvalidArgument"."""
    if code is StatusCode.OK:
        return "OK"
    return "Canceled" if code is StatusCode.CANCELLED else code.name.title().replace("_", "")
