"""Calls that are traced."""

from typing import TYPE_CHECKING, Any

from grpc import StatusCode

from regard_service.layers.layer import Answer, Context, Layer, Method
from regard_service.layers.request_log import QUIET_SERVICES
from regard_service.layers.status import code_of
from regard_service.observability import logs
from regard_service.observability.tracing.record import begin_record

if TYPE_CHECKING:
    from regard_service.observability.tracing.spans import Tracing


class TracingLayer(Layer):
    """Gives a call its trace, and the log's line the trace's id. Health checks and reflection have none."""

    def __init__(self, tracing: "Tracing") -> None:
        self._tracing = tracing

    def around(self, method: Method, answer: Answer) -> Answer:
        if method.service.startswith(QUIET_SERVICES):
            return answer

        async def traced(request: Any, context: Context) -> Any:
            record = self._tracing.begin(method, context.invocation_metadata() or ())
            if record is None:
                return await answer(request, context)
            begin_record(record)
            logs.note(trace_id=record.trace_id)
            code = StatusCode.OK
            try:
                response = await answer(request, context)
                code = code_of(context, None)
                return response
            except BaseException as error:
                code = code_of(context, error)
                raise
            finally:
                self._tracing.end(record, code, logs.noted())

        return traced
