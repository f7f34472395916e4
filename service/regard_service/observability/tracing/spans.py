"""Writes calls as OpenTelemetry spans when they end, and sends them by OTLP over gRPC.

Attributes are numbers and names. They never contain the text of an input or of an output.
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
from regard_service.observability.tracing.record import CallRecord

# Requests of a call that get spans. More would add little, and fill the exporter's queue.
MAX_REQUESTS = 16

CONTEXT_KEYS = ("traceparent", "tracestate")

# The fields of the log's line that the call's span carries.
SPAN_FIELDS = ("model", "num_inputs", "num_source_tokens", "num_target_tokens", "reason")

# Statuses that are errors of the server, by OpenTelemetry's conventions.
SERVER_ERRORS = (
    StatusCode.UNKNOWN,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.UNIMPLEMENTED,
    StatusCode.INTERNAL,
    StatusCode.UNAVAILABLE,
    StatusCode.DATA_LOSS,
)

Attributes = dict[str, str | int | float]


class Tracing:
    """Samples the calls to trace, and passes their spans to a processor.

    Args:
        processor: receives the spans.
        sample_ratio: the share of calls to trace if their caller did not decide; None leaves it to
            OTEL_TRACES_SAMPLER, whose default traces all.
    """

    def __init__(self, processor: SpanProcessor, sample_ratio: float | None = None) -> None:
        sampler = None if sample_ratio is None else ParentBasedTraceIdRatio(sample_ratio)
        self._provider = TracerProvider(sampler=sampler, resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("regard")
        self._propagator = TraceContextTextMapPropagator()

    @classmethod
    def to_endpoint(cls, endpoint: str | None, sample_ratio: float | None = None) -> "Tracing":
        """Sends spans to a collector. Args: endpoint: None takes OTEL_EXPORTER_OTLP_ENDPOINT."""
        exporter: SpanExporter = OTLPSpanExporter(endpoint)
        return cls(BatchSpanProcessor(exporter), sample_ratio)

    def begin(self, service: str, method: str, headers: Iterable[tuple[str, str | bytes]]) -> CallRecord | None:
        """Begins a call's span, as a child of the span that the headers name; returns None if it is not sampled.

        Args:
            service: with its package, as in "regard.v1.AttentionService".
        """
        epoch_ns = time.time_ns() - time.monotonic_ns()
        given = {key: value for key, value in headers if key in CONTEXT_KEYS and isinstance(value, str)}
        span = self._tracer.start_span(
            f"{service}/{method}",
            context=self._propagator.extract(given) if given else None,
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
            start_time=epoch_ns + time.monotonic_ns(),
        )
        if not span.is_recording():
            return None
        return CallRecord(trace.format_trace_id(span.get_span_context().trace_id), span, epoch_ns)

    def end(self, record: CallRecord, code: StatusCode, noted: Mapping[str, object]) -> None:
        """Ends a call's span and writes the spans of its parts.

        Args:
            noted: the fields of the call's line in the log.
        """
        now, span = time.monotonic(), record.span
        for stage in record.stages:
            self._child(record, stage.name, stage.began, stage.ended or now)
        for index, request in enumerate(record.requests[:MAX_REQUESTS]):
            self._request(record, index, request, now)
        span.set_attribute("rpc.grpc.status_code", code.value[0])
        span.set_attribute("regard.num_requests", len(record.requests))
        for name in SPAN_FIELDS:
            value = noted.get(name)
            if isinstance(value, str | int | float):
                span.set_attribute(f"regard.{name}", value)
        if code in SERVER_ERRORS:
            span.set_status(Status(trace.StatusCode.ERROR))
        span.end(record.since_epoch_ns(now))

    def close(self, timeout_s: float) -> None:
        """Sends the remaining spans; blocks for at most `timeout_s`."""
        # Without a collector, the provider itself would try for half a minute.
        ending = threading.Thread(target=self._provider.shutdown, name="traces-end", daemon=True)
        ending.start()
        ending.join(timeout_s)

    def _request(self, record: CallRecord, index: int, request: RequestState, now: float) -> None:
        """Writes the spans of a request's phases. The phase in which it was interrupted ends with the call."""
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
        """Writes a finished span. Args: began, ended: on the clock of `time.monotonic()`; step_times: become events."""
        context = trace.set_span_in_context(record.span)
        span = self._tracer.start_span(
            name, context=context, attributes=attributes, start_time=record.since_epoch_ns(began)
        )
        for step, at in step_times:
            span.add_event("step", {"regard.step": step}, record.since_epoch_ns(at))
        span.end(record.since_epoch_ns(ended))


def _ended(request: RequestState, now: float) -> float:
    """Returns the time of a request's result, or of the call's end without one, on the clock of `time.monotonic()`."""
    return request.ended or now


def _resource() -> Resource:
    """Returns the resource. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override its attributes."""
    known = Resource({SERVICE_NAME: "regard", SERVICE_VERSION: metadata.version("regard")})
    configured = Resource.create()
    if str(configured.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        configured = configured.merge(Resource({SERVICE_NAME: "regard"}))
    return known.merge(configured)
