"""A real server sends its traces to a collector on loopback: gRPC and HTTP, unary and streams, without users' text."""

import asyncio
import http.client
import json
import threading
import time
import urllib.request
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError
from regard_service.observability.tracing.switch import TracingUnavailable
from tests.integration.collector import Collector, running_collector
from tests.integration.conftest import running
from tests.integration.fake_backend import FakeBackend, Script
from tests.waiting import PATIENCE_S

TRANSLATE, STREAM = "regard.v1.AttentionService/Translate", "regard.v1.AttentionService/StreamTranslate"
TEXT = "The gardener has lost his orange umbrella."
ALIGNED = pb.AttentionConfig(kinds=[pb.ATTENTION_KIND_ENCODER_SELF])


@pytest.fixture(scope="module")
def collector() -> Iterator[tuple[Collector, str]]:
    with running_collector() as started:
        yield started


@pytest.fixture(scope="module")
def traced(collector: tuple[Collector, str]) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        with running(Settings(grpc_port=0, http_port=0, models=("everyday",), trace_endpoint=collector[1])) as server:
            yield server


@pytest.fixture
def stub(traced: Server) -> Iterator[pb_grpc.AttentionServiceStub]:
    with grpc.insecure_channel(f"127.0.0.1:{traced.grpc_port}") as channel:
        yield pb_grpc.AttentionServiceStub(channel)


def server_without_models(**settings: object) -> Server:
    script = Script()
    script.gate.set()
    chosen = Settings.model_validate({"grpc_port": 0, "http_port": 0, "drain_delay_s": 0, **settings})
    return Server(chosen, lambda settings, observer: FakeBackend(script))


def traceparent(number: int) -> tuple[str, str]:
    """Returns a trace's id, and the header of a caller that began the trace."""
    trace_id = f"{number:032x}"
    return trace_id, f"00-{trace_id}-00f067aa0ba902b7-01"


def attributes(span: Span) -> dict[str, object]:
    found = {}
    for each in span.attributes:
        kind = each.value.WhichOneof("value")
        assert kind is not None
        found[each.key] = getattr(each.value, kind)
    return found


def test_a_unary_call_is_one_trace(collector: tuple[Collector, str], stub: pb_grpc.AttentionServiceStub) -> None:
    trace_id, header = traceparent(1)
    request = pb.TranslateRequest(texts=[TEXT] * 2, target_language="de", attention=ALIGNED)
    stub.Translate(request, metadata=(("traceparent", header),))
    spans = collector[0].spans(trace_id)
    root = next(span for span in spans if span.kind == Span.SPAN_KIND_SERVER)
    children = [span for span in spans if span is not root]
    assert root.name == TRANSLATE
    assert root.parent_span_id.hex() == "00f067aa0ba902b7"
    assert {span.parent_span_id for span in children} == {root.span_id}
    names = sorted(span.name for span in children)
    assert names == sorted(["prepare", *["queue", "encode", "decode", "attention", "detokenize"] * 2])
    assert all(root.start_time_unix_nano <= s.start_time_unix_nano <= s.end_time_unix_nano for s in children)
    assert all(span.end_time_unix_nano <= root.end_time_unix_nano for span in children)
    assert abs(root.end_time_unix_nano / 1e9 - time.time()) < 60
    found = attributes(root)
    assert found["regard.num_inputs"] == found["regard.num_requests"] == 2
    assert str(found["regard.model"]).startswith("everyday@")
    decode = next(span for span in children if span.name == "decode")
    assert [event.name for event in decode.events][:1] == ["step"]


def test_a_stream_is_one_trace(collector: tuple[Collector, str], stub: pb_grpc.AttentionServiceStub) -> None:
    trace_id, header = traceparent(2)
    request = pb.StreamTranslateRequest(text=TEXT, target_language="de")
    list(stub.StreamTranslate(request, metadata=(("traceparent", header),)))
    spans = {span.name for span in collector[0].spans(trace_id)}
    assert spans == {STREAM, "prepare", "queue", "encode", "decode", "detokenize"}


def test_a_call_over_http_is_one_trace(collector: tuple[Collector, str], traced: Server) -> None:
    trace_id, header = traceparent(3)
    body = json.dumps({"texts": [TEXT], "target_language": "de"}).encode()
    headers = {"content-type": "application/json", "traceparent": header}
    url = f"http://127.0.0.1:{traced.http_port}/v1/translate"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=PATIENCE_S) as answer:
        assert answer.status == 200
    assert {span.name for span in collector[0].spans(trace_id)} > {TRANSLATE, "queue", "encode", "decode"}


def test_a_failed_calls_span_has_its_reason(
    collector: tuple[Collector, str], stub: pb_grpc.AttentionServiceStub
) -> None:
    trace_id, header = traceparent(4)
    with pytest.raises(grpc.RpcError):
        stub.Translate(
            pb.TranslateRequest(texts=["private words"], model="private-name"), metadata=(("traceparent", header),)
        )
    (root,) = collector[0].spans(trace_id)
    assert attributes(root)["regard.reason"] == "MODEL_NOT_FOUND"
    assert attributes(root)["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert root.status.code == Status.STATUS_CODE_UNSET  # it is an error of the caller
    assert "private" not in collector[0].text()


def test_no_trace_contains_users_text(collector: tuple[Collector, str], stub: pb_grpc.AttentionServiceStub) -> None:
    trace_id, header = traceparent(5)
    metadata = (("traceparent", header), ("baggage", "user=gardener"), ("x-request-id", "gardeners-own"))
    translated = stub.Translate(pb.TranslateRequest(texts=[TEXT], target_language="de"), metadata=metadata)
    collector[0].spans(trace_id)
    sent = collector[0].text().lower()
    words = {*TEXT.lower().rstrip(".").split(), *translated.results[0].hypotheses[0].text.lower().rstrip(".").split()}
    assert [word for word in words if len(word) > 6 and word in sent] == []


def test_exemplars_name_the_trace_in_openmetrics(traced: Server, stub: pb_grpc.AttentionServiceStub) -> None:
    trace_id, header = traceparent(6)
    stub.Translate(pb.TranslateRequest(texts=[TEXT], target_language="de"), metadata=(("traceparent", header),))

    def scrape(accept: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", traced.http_port, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/metrics", headers={"accept": accept})
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    lines = scrape("application/openmetrics-text; version=1.0.0").splitlines()
    named = [line for line in lines if f'# {{trace_id="{trace_id}"}}' in line]
    assert len(named) == 1
    assert named[0].startswith("grpc_server_handling_seconds_bucket{")
    assert trace_id not in scrape("text/plain")


async def test_the_log_names_the_trace(collector: tuple[Collector, str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    trace_id, header = traceparent(7)
    async with (
        server_without_models(trace_endpoint=collector[1], trace_sample_ratio=0) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        stub = pb_grpc.AttentionServiceStub(channel)
        await stub.Translate(pb.TranslateRequest(texts=[TEXT]), metadata=(("traceparent", header),))
        await stub.Translate(pb.TranslateRequest(texts=[TEXT]))
    lines = [record.fields for record in caplog.records if record.getMessage() == TRANSLATE]  # type: ignore[attr-defined]
    assert [line.get("trace_id") for line in lines] == [trace_id, None]
    # The server has stopped, after it sent the remaining spans.
    assert await asyncio.to_thread(collector[0].spans, trace_id)


async def test_a_collector_that_is_not_there_fails_no_call_and_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The exporter would go on trying for half a minute; here it does until the server has stopped."""
    has_stopped, shutdown = threading.Event(), TracerProvider.shutdown

    def try_until_the_end(provider: TracerProvider) -> None:
        assert has_stopped.wait(PATIENCE_S)
        shutdown(provider)

    monkeypatch.setattr(TracerProvider, "shutdown", try_until_the_end)
    # The exporter's own tries go on in a thread, for longer than the test, and use the global state of `random`, which
    # Hypothesis guards in the tests that follow.
    monkeypatch.setattr(OTLPSpanExporter, "export", lambda *_: SpanExportResult.FAILURE)
    monkeypatch.setattr("regard_service.app.server.TRACES_GRACE_S", 0.1)
    server = server_without_models(trace_endpoint="http://127.0.0.1:1")
    async with server, grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        answer = await pb_grpc.AttentionServiceStub(channel).Translate(pb.TranslateRequest(texts=[TEXT]))
        assert len(answer.results) == 1
        await channel.close()
        await asyncio.wait_for(server.stop(), PATIENCE_S / 2)
        has_stopped.set()


async def test_a_server_that_cannot_trace_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_: object) -> None:
        raise TracingUnavailable("traces need the extra 'otel'")

    monkeypatch.setattr("regard_service.app.wiring.open_tracing", unavailable)
    with pytest.raises(StartError, match="trace_endpoint: traces need"):
        await server_without_models(trace_endpoint="http://127.0.0.1:1").start()
