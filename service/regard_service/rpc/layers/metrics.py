"""Counts and times calls and messages."""

import time
from typing import Any

from grpc import StatusCode
from prometheus_client import Counter

from regard_service.observability.metrics import GrpcMetrics
from regard_service.observability.tracing.record import exemplar
from regard_service.rpc.layers.layer import Behavior, Codec, Context, Layer, Method
from regard_service.rpc.layers.status_codes import code_label, code_of


class MetricsLayer(Layer):
    """Updates `GrpcMetrics`."""

    def __init__(self, metrics: GrpcMetrics) -> None:
        self._metrics = metrics

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Counts and times each call."""
        started = self._metrics.started.labels(*method.labels)
        handling = self._metrics.handling.labels(*method.labels)
        handled: dict[StatusCode, Counter] = {}

        async def counted(request: Any, context: Context) -> Any:
            started.inc()
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
                if code not in handled:
                    handled[code] = self._metrics.handled.labels(*method.labels, code_label(code))
                handled[code].inc()
                handling.observe(time.perf_counter() - begin, exemplar())

        return counted

    def deserializer(self, method: Method, deserialize: Codec) -> Codec:
        """Counts each message received."""
        counter = self._metrics.received.labels(*method.labels)

        def read(raw: bytes) -> Any:
            counter.inc()
            return deserialize(raw)

        return read

    def serializer(self, method: Method, serialize: Codec) -> Codec:
        """Counts each message sent."""
        counter = self._metrics.sent.labels(*method.labels)

        def write(message: Any) -> Any:
            counter.inc()
            return serialize(message)

        return write
