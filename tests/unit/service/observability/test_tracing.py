"""Traces: the record of a call and its spans; tests/integration/test_traces.py has a collector."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from grpc import StatusCode
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from regard_service.engine.core.request import STEPS_BETWEEN_TIMES, EngineRequest, RequestState
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy.policy import EngineConfig
from regard_service.errors import DeadlinePassed
from regard_service.generation import Generation
from regard_service.observability.tracing import switch
from regard_service.observability.tracing.record import CallRecord, begin_record, exemplar, stage, watcher
from regard_service.observability.tracing.spans import MAX_REQUESTS, Tracing
from regard_service.observability.tracing.switch import TracingUnavailable, open_tracing
from tests.unit.service.engine.fake_runner import FakeRunner
from tests.waiting import PATIENCE_S, ever_longer

METHOD = ("regard.v1.AttentionService", "Translate")
TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = [("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01")]
NOT_SAMPLED = [("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-00")]


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    return Tracing(SimpleSpanProcessor(exporter))


@pytest.fixture
def scheduler() -> Iterator[Engine]:
    scheduler = Engine(EngineConfig(num_workers=1, max_slots=1))
    yield scheduler
    scheduler.close()


def begun(tracing: Tracing) -> CallRecord:
    record = tracing.begin(*METHOD, [])
    assert record is not None
    return record


def request(record: CallRecord, length: int, deadline: float | None = None) -> EngineRequest:
    source = np.arange(length) % 30 + 5
    return EngineRequest(source, Generation(max_new_tokens=60), deadline=deadline, watch=record.watch)


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def times(span: ReadableSpan) -> tuple[int, int]:
    assert span.start_time is not None
    assert span.end_time is not None
    return span.start_time, span.end_time


async def test_a_request_has_a_span_for_each_phase_one_after_another(
    tracing: Tracing, exporter: InMemorySpanExporter, scheduler: Engine
) -> None:
    record = begun(tracing)
    result = await scheduler.generate(FakeRunner(step_s=0.001, encode_s=0.01), request(record, 40))
    tracing.end(record, StatusCode.OK, {"model": "echo@1", "num_inputs": 1, "peer": "ipv4:127.0.0.1:1", "fields": []})
    spans = named(exporter)
    assert set(spans) == {"queue", "encode", "decode", "regard.v1.AttentionService/Translate"}
    root = spans["regard.v1.AttentionService/Translate"]
    began, ended = times(root)
    for first, second in (("queue", "encode"), ("encode", "decode")):
        assert times(spans[first])[1] == times(spans[second])[0]
    assert began <= times(spans["queue"])[0]
    assert times(spans["decode"])[1] <= ended
    assert times(spans["encode"])[1] - times(spans["encode"])[0] == pytest.approx(result.encode_s * 1e9, abs=2000)
    for span in spans.values():
        assert span is root or span.parent == root.context
    assert dict(root.attributes or {}) == {
        "rpc.system": "grpc",
        "rpc.service": "regard.v1.AttentionService",
        "rpc.method": "Translate",
        "rpc.grpc.status_code": 0,
        "regard.model": "echo@1",
        "regard.num_inputs": 1,
        "regard.num_requests": 1,
    }


async def test_steps_are_events_of_the_decode_span(
    tracing: Tracing, exporter: InMemorySpanExporter, scheduler: Engine
) -> None:
    record = begun(tracing)
    await scheduler.generate(FakeRunner(), request(record, 40))
    tracing.end(record, StatusCode.OK, {})
    decode = named(exporter)["decode"]
    began, ended = times(decode)
    assert (decode.attributes or {})["regard.num_steps"] == 41
    steps = [(event.attributes or {})["regard.step"] for event in decode.events]
    assert steps == list(range(1, 42, STEPS_BETWEEN_TIMES))
    assert [began, *(event.timestamp for event in decode.events), ended] == sorted(
        [began, *(event.timestamp for event in decode.events), ended]
    )


async def test_a_request_that_never_left_the_queue_has_that_span_only(
    tracing: Tracing, exporter: InMemorySpanExporter, scheduler: Engine
) -> None:
    record, runner = begun(tracing), FakeRunner()
    runner.gate.clear()
    running = asyncio.ensure_future(scheduler.generate(runner, EngineRequest(np.arange(5, 8), Generation(9))))
    waiting = asyncio.ensure_future(scheduler.generate(runner, request(record, 3)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    tracing.end(record, StatusCode.DEADLINE_EXCEEDED, {})
    runner.gate.set()
    await running
    spans = named(exporter)
    assert set(spans) == {"queue", "regard.v1.AttentionService/Translate"}
    root = spans["regard.v1.AttentionService/Translate"]
    assert times(spans["queue"])[1] == times(root)[1]
    assert not root.status.is_ok
    assert root.status.description is None


async def test_a_request_that_ended_while_decoding_has_all_spans(
    tracing: Tracing, exporter: InMemorySpanExporter, scheduler: Engine
) -> None:
    for time_s in ever_longer(0.1):
        exporter.clear()
        record = begun(tracing)
        deadline = asyncio.get_running_loop().time() + time_s
        with pytest.raises(DeadlinePassed):
            await scheduler.generate(FakeRunner(step_s=time_s / 10), request(record, 50, deadline))
        tracing.end(record, StatusCode.DEADLINE_EXCEEDED, {})
        if "decode" in named(exporter):
            break
    assert set(named(exporter)) >= {"queue", "encode", "decode"}


async def test_the_first_requests_of_a_large_call_have_spans(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    record = begun(tracing)
    for _ in range(MAX_REQUESTS + 5):
        RequestState(request(record, 3), submitted=0.0)
    tracing.end(record, StatusCode.OK, {})
    spans = exporter.get_finished_spans()
    assert sum(span.name == "queue" for span in spans) == MAX_REQUESTS
    assert (spans[-1].attributes or {})["regard.num_requests"] == MAX_REQUESTS + 5


def test_the_span_is_a_child_of_the_callers(tracing: Tracing, exporter: InMemorySpanExporter) -> None:
    record = tracing.begin(*METHOD, SAMPLED)
    assert record is not None
    assert record.trace_id == TRACE_ID
    tracing.end(record, StatusCode.OK, {})
    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT_ID


@pytest.mark.parametrize("ratio", [None, 0.0, 1.0])
def test_the_caller_decides_whether_its_call_is_traced(exporter: InMemorySpanExporter, ratio: float | None) -> None:
    tracing = Tracing(SimpleSpanProcessor(exporter), ratio)
    assert tracing.begin(*METHOD, NOT_SAMPLED) is None
    assert tracing.begin(*METHOD, SAMPLED) is not None
    assert (tracing.begin(*METHOD, []) is None) == (ratio == 0.0)


@pytest.mark.parametrize("value", ["", "00-zz-zz-01", "x" * 10_000, b"\xff\x00"])
def test_an_invalid_traceparent_begins_a_new_trace(tracing: Tracing, value: str | bytes) -> None:
    record = tracing.begin(*METHOD, [("traceparent", value)])
    assert record is not None
    assert record.trace_id != TRACE_ID


@pytest.mark.parametrize(("sampler", "is_traced"), [("always_off", False), ("parentbased_always_on", True)])
def test_without_a_ratio_the_environment_decides(
    monkeypatch: pytest.MonkeyPatch, exporter: InMemorySpanExporter, sampler: str, is_traced: bool
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    assert (Tracing(SimpleSpanProcessor(exporter)).begin(*METHOD, []) is not None) == is_traced
    assert Tracing(SimpleSpanProcessor(exporter), 1.0).begin(*METHOD, []) is not None


def test_the_ratio_is_the_share_of_traced_calls(exporter: InMemorySpanExporter) -> None:
    tracing = Tracing(SimpleSpanProcessor(exporter), 0.25)
    taken = sum(tracing.begin(*METHOD, []) is not None for _ in range(2000))
    assert 350 < taken < 650


async def test_stages_are_spans_and_consecutive_ones_of_one_name_are_one(
    tracing: Tracing, exporter: InMemorySpanExporter
) -> None:
    record = begun(tracing)
    begin_record(record)
    for name in ("prepare", "detokenize", "detokenize"):
        with stage(name):
            pass
    assert exemplar() == {"trace_id": record.trace_id}
    assert watcher() == record.watch
    tracing.end(record, StatusCode.OK, {})
    assert [span.name for span in exporter.get_finished_spans()][:-1] == ["prepare", "detokenize"]


async def test_without_a_trace_nothing_is_recorded() -> None:
    with stage("prepare"):
        pass
    assert exemplar() is None
    assert watcher() is None
    state = RequestState(EngineRequest(np.arange(3), Generation(3)), submitted=0.0)
    assert state.step_times is None


def test_the_environment_overrides_the_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    def service(name: str) -> object:
        exporter = InMemorySpanExporter()
        tracing = Tracing(SimpleSpanProcessor(exporter))
        tracing.end(begun(tracing), StatusCode.OK, {})
        return exporter.get_finished_spans()[0].resource.attributes[name]

    assert service("service.name") == "regard"
    monkeypatch.setenv("OTEL_SERVICE_NAME", "translations")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    assert service("service.name") == "translations"
    assert service("deployment.environment.name") == "test"


# The switch


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_traces_are_off_unless_an_endpoint_is_named(environment: dict[str, str]) -> None:
    assert open_tracing(None, None, environment) is None


def test_a_server_without_traces_does_not_import_opentelemetry() -> None:
    program = (
        "import sys, regard_service.app.server; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=PATIENCE_S).returncode == 0


def test_without_the_extra_the_setting_is_an_error_and_the_variable_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "regard_service.observability.tracing.spans")
    monkeypatch.delattr(switch.__package__ + ".spans", raising=False)
    with pytest.raises(TracingUnavailable, match=r"regard\[otel\]"):
        open_tracing("http://127.0.0.1:1", None, {})
    assert open_tracing(None, None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}) is None
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set, but traces need the extra 'otel'" in caplog.text
