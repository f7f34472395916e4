"""One line in the log for each call, and the id that it goes by."""

import logging
import random
import re
import time
from typing import Any

from grpc import StatusCode

from regard_service.layers.layer import Answer, Context, Layer, Method
from regard_service.layers.status import code_of
from regard_service.observability import logs

REQUEST_ID = "x-request-id"
_USABLE_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
QUIET_SERVICES = ("grpc.health.", "grpc.reflection.")

log = logging.getLogger(__name__)


class RequestLog(Layer):
    """Logs one line a call, and gives the call its id: the caller's `x-request-id`, or a new one, sent back."""

    def around(self, method: Method, answer: Answer) -> Answer:
        level = logging.DEBUG if method.service.startswith(QUIET_SERVICES) else logging.INFO
        title = f"{method.service}/{method.name}"

        async def logged(request: Any, context: Context) -> Any:
            request_id = _request_id(context)
            context.set_trailing_metadata(((REQUEST_ID, request_id),))
            fields: logs.LogFields = {"request_id": request_id, "peer": context.peer()}
            logs.begin_call(fields)
            begin = time.perf_counter()
            code = StatusCode.OK
            try:
                response = await answer(request, context)
                code = code_of(context, None)
                return response
            except BaseException as error:
                code = code_of(context, error)
                raise
            finally:
                fields |= {"code": code.name, "duration_ms": round((time.perf_counter() - begin) * 1000, 3)}
                log.log(level, title, extra=logs.fields(**fields))

        return logged


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and isinstance(value, str) and _USABLE_REQUEST_ID.fullmatch(value):
            return value
    return f"{random.getrandbits(128):032x}"
