"""Calls as OpenTelemetry's spans, made when a call has ended, and sent by OTLP over gRPC.

Attributes are numbers and names. What a user wrote, and what came of it, is never among them.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from importlib import metadata

from grpc import StatusCode
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import SpanKind, Status
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from regard_service.engine.core.request import RequestState
from regard_service.layers.layer import Method
from regard_service.observability.tracing.record import CallRecord

# Of a call with very many inputs; more would tell little and fill the exporter's queue.
MAX_REQUESTS = 16

CONTEXT_KEYS = ("traceparent", "tracestate")

# What of the log's line goes on the call's span: numbers, and names that are the server's own.
NOTED = ("model", "num_inputs", "num_source_tokens", "num_target_tokens", "reason")

# Whose fault it is; as OpenTelemetry's conventions for servers have it.
FAILURES = (
    StatusCode.UNKNOWN,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.UNIMPLEMENTED,
    StatusCode.INTERNAL,
    StatusCode.UNAVAILABLE,
    StatusCode.DATA_LOSS,
)

Attributes = dict[str, str | int | float]


class Tracing:
    """Decides which calls are traced, and hands their spans on.

    Args:
        processor: what the spans go to.
        sample_ratio: the share of calls to trace, of those whose caller did not decide it; None leaves that to
            OTEL_TRACES_SAMPLER, which by default takes all.
    """

    def __init__(self, processor: SpanProcessor, sample_ratio: float | None = None) -> None:
        sampler = None if sample_ratio is None else ParentBasedTraceIdRatio(sample_ratio)
        self._provider = TracerProvider(sampler=sampler, resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("regard")
        self._propagator = TraceContextTextMapPropagator()

    @classmethod
    def to_endpoint(cls, endpoint: str | None, sample_ratio: float | None = None) -> "Tracing":
        """Sends spans to a collector; None is the one that OTEL_EXPORTER_OTLP_ENDPOINT names."""
        exporter: SpanExporter = OTLPSpanExporter(endpoint)
        return cls(BatchSpanProcessor(exporter), sample_ratio)

    def begin(self, method: Method, headers: Iterable[tuple[str, str | bytes]]) -> CallRecord | None:
        """A call's record, below its caller's span if the headers name one; None if it is not to be traced."""
        epoch_ns = time.time_ns() - time.monotonic_ns()
        given = {key: value for key, value in headers if key in CONTEXT_KEYS and isinstance(value, str)}
        span = self._tracer.start_span(
            f"{method.service}/{method.name}",
            context=self._propagator.extract(given) if given else None,
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": method.service, "rpc.method": method.name},
            start_time=epoch_ns + time.monotonic_ns(),
        )
        if not span.is_recording():
            return None
        return CallRecord(trace.format_trace_id(span.get_span_context().trace_id), span, epoch_ns)

    def end(self, record: CallRecord, code: StatusCode, noted: Mapping[str, object]) -> None:
        """Ends a call's span, with those of its parts. Args: noted: the fields of the call's line in the log."""
        now, span = time.monotonic(), record.span
        for stage in record.stages:
            self._child(record, stage.name, stage.began, stage.ended or now)
        for index, request in enumerate(record.requests[:MAX_REQUESTS]):
            self._request(record, index, request, now)
        span.set_attribute("rpc.grpc.status_code", code.value[0])
        span.set_attribute("regard.num_requests", len(record.requests))
        for name in NOTED:
            value = noted.get(name)
            if isinstance(value, str | int | float):
                span.set_attribute(f"regard.{name}", value)
        if code in FAILURES:
            span.set_status(Status(trace.StatusCode.ERROR))
        span.end(record.since_epoch_ns(now))

    def close(self, timeout_s: float) -> None:
        """Sends what is there still, for so long at most; blocks meanwhile."""
        # The provider would try for half a minute if nobody listens.
        ending = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(timeout_s)

    def _request(self, record: CallRecord, index: int, request: RequestState, now: float) -> None:
        """Where a request's time went; the phase that it did not get out of ends with the call."""
        ended = _ended(request, now)
        of_request: Attributes = {"regard.request": index}
        if not request.admitted:
            self._child(record, "queue", request.submitted, ended, of_request)
            return
        self._child(record, "queue", request.submitted, request.admitted, of_request)
        encoded = request.admitted + request.encode_s if request.encode_s else ended
        self._child(record, "encode", request.admitted, encoded, of_request)
        if not request.encode_s:
            return
        decoding: Attributes = {
            **of_request,
            "regard.num_steps": request.num_steps,
            "regard.num_beams": request.request.generation.num_beams,
        }
        self._child(record, "decode", encoded, ended, decoding, request.step_times or ())

    def _child(
        self,
        record: CallRecord,
        name: str,
        began: float,
        ended: float,
        attributes: Attributes | None = None,
        step_times: Iterable[tuple[int, float]] = (),
    ) -> None:
        """A finished span. Args: began, ended: `time.monotonic()`; step_times: become events."""
        context = trace.set_span_in_context(record.span)
        span = self._tracer.start_span(
            name, context=context, attributes=attributes, start_time=record.since_epoch_ns(began)
        )
        for step, at in step_times:
            span.add_event("step", {"regard.step": step}, record.since_epoch_ns(at))
        span.end(record.since_epoch_ns(ended))


def _ended(request: RequestState, now: float) -> float:
    """When a request's result existed; for a request without one, when its call ended. `time.monotonic()`."""
    return request.ended or now


def _resource() -> Resource:
    """Who sends; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before what is known here."""
    known = Resource({SERVICE_NAME: "regard", SERVICE_VERSION: metadata.version("regard")})
    told = Resource.create()
    if str(told.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        told = told.merge(Resource({SERVICE_NAME: "regard"}))
    return known.merge(told)
