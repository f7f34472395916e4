"""Traces calls."""

from typing import TYPE_CHECKING, Any

from grpc import StatusCode

from regard_service.observability import logs
from regard_service.observability.tracing.record import begin_record
from regard_service.rpc.layers.layer import Behavior, Context, Layer, Method
from regard_service.rpc.layers.request_log import PROBE_SERVICES
from regard_service.rpc.layers.status_codes import code_of

if TYPE_CHECKING:
    from regard_service.observability.tracing.spans import Tracing


class TracingLayer(Layer):
    """Begins and ends the trace of each call, and logs its id. Health checks and reflection have no traces."""

    def __init__(self, tracing: "Tracing") -> None:
        self._tracing = tracing

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Traces each call of the API."""
        if method.service.startswith(PROBE_SERVICES):
            return behavior

        async def traced(request: Any, context: Context) -> Any:
            record = self._tracing.begin(method.service, method.name, context.invocation_metadata() or ())
            if record is None:
                return await behavior(request, context)
            begin_record(record)
            logs.note(trace_id=record.trace_id)
            code = StatusCode.OK
            try:
                response = await behavior(request, context)
                code = code_of(context, None)
                return response
            except BaseException as error:
                code = code_of(context, error)
                raise
            finally:
                self._tracing.end(record, code, logs.noted())

        return traced
