"""A collector of traces on loopback, the service that OpenTelemetry's exporters call."""

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as collector_pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as collector_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.waiting import PATIENCE_S


class Collector(collector_grpc.TraceServiceServicer):
    """Keeps the spans that it receives."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._requests: list[collector_pb.ExportTraceServiceRequest] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._arrived:
            self._requests.append(request)
            self._arrived.notify_all()
        return collector_pb.ExportTraceServiceResponse()

    def spans(self, trace_id: str) -> list[Span]:
        """Waits for the span of the call, which is sent last, and returns all spans of the trace."""

        def found() -> list[Span]:
            scopes = [scope for r in self._requests for resource in r.resource_spans for scope in resource.scope_spans]
            return [span for scope in scopes for span in scope.spans if span.trace_id.hex() == trace_id]

        with self._arrived:
            assert self._arrived.wait_for(lambda: any(s.kind == Span.SPAN_KIND_SERVER for s in found()), PATIENCE_S)
            return found()

    def text(self) -> str:
        with self._arrived:
            return "\n".join(map(str, self._requests))


@contextmanager
def running_collector() -> Iterator[tuple[Collector, str]]:
    """Runs a collector; yields it and its endpoint."""
    servicer, server = Collector(), grpc.server(futures.ThreadPoolExecutor(2))
    collector_grpc.add_TraceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield servicer, f"http://127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
