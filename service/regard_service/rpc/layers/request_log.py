"""Logs one line for each call, with the id of the call."""

import logging
import random
import re
import time
from typing import Any

from grpc import StatusCode

from regard_service.observability import logs
from regard_service.rpc.layers.layer import Behavior, Context, Layer, Method
from regard_service.rpc.layers.status_codes import code_of

REQUEST_ID = "x-request-id"
PROBE_SERVICES = ("grpc.health.", "grpc.reflection.")
"""Services whose calls are logged for debugging only, and not traced."""

_VALID_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")

log = logging.getLogger(__name__)


class RequestLogLayer(Layer):
    """Logs one line per call. A call's id is the caller's `x-request-id` or a new one; it is returned as a trailer."""

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Logs each call when it ends."""
        level = logging.DEBUG if method.service.startswith(PROBE_SERVICES) else logging.INFO
        title = f"{method.service}/{method.name}"

        async def logged(request: Any, context: Context) -> Any:
            request_id = _request_id(context)
            context.set_trailing_metadata(((REQUEST_ID, request_id),))
            fields: logs.LogFields = {"request_id": request_id, "peer": context.peer()}
            logs.begin_call(fields)
            begin = time.perf_counter()
            code = StatusCode.OK
            try:
                response = await behavior(request, context)
                code = code_of(context, None)
                return response
            except BaseException as error:
                code = code_of(context, error)
                raise
            finally:
                if log.isEnabledFor(level):
                    fields |= {"code": code.name, "duration_ms": round((time.perf_counter() - begin) * 1000, 3)}
                    log.log(level, title, extra=logs.fields(**fields))

        return logged


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and isinstance(value, str) and _VALID_REQUEST_ID.fullmatch(value):
            return value
    return f"{random.getrandbits(128):032x}"
