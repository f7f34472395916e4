"""The server over real ports, with a backend without models: statuses, cancellation, health, metrics, drain."""

import asyncio
import json
import logging
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError
from regard_service.errors import (
    DeadlinePassed,
    Draining,
    InvalidInput,
    ModelNotFound,
    NotReady,
    Overloaded,
    ServiceError,
    Unsupported,
)
from tests.integration.fake_backend import FakeBackend, Script
from tests.waiting import PATIENCE_S, ever_longer, wait_until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
HELLO = pb.TranslateRequest(texts=["Hello"], target_language="de")
STREAM_HELLO = pb.StreamTranslateRequest(text="Hello", target_language="de")


@dataclass
class Running:
    """A server and a client's channel to it."""

    server: Server
    script: Script
    channel: grpc.aio.Channel

    @property
    def attention(self) -> "pb_grpc.AttentionServiceAsyncStub":
        return pb_grpc.AttentionServiceStub(self.channel)

    @property
    def models(self) -> "pb_grpc.ModelServiceAsyncStub":
        return pb_grpc.ModelServiceStub(self.channel)

    @property
    def health(self) -> health_pb2_grpc.HealthStub:
        return health_pb2_grpc.HealthStub(self.channel)

    async def get(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        return await asyncio.to_thread(self.fetch, path, accept)

    def fetch(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        """An HTTP answer's status and body; blocks, so it is for other threads than the server's."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.server.http_port}{path}", headers={"accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    async def wait_until_draining(self) -> None:
        """Waits until the server says that it drains; by then it refuses new calls, if it serves none for a delay."""
        await asyncio.to_thread(wait_until, lambda: self.fetch("/readyz")[0] == 503)


@asynccontextmanager
async def running(script: Script | None = None, **settings: object) -> AsyncIterator[Running]:
    """Runs a server on free ports."""
    script = script or open_script()
    chosen = Settings.model_validate({"grpc_port": 0, "http_port": 0, "drain_delay_s": 0, **settings})
    async with (
        Server(chosen, lambda settings, observer: FakeBackend(script)) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        yield Running(server, script, channel)


def open_script() -> Script:
    script = Script()
    script.gate.set()
    return script


def failing(error: Exception) -> Script:
    script = open_script()
    script.error = error
    return script


async def failure(call: object) -> grpc.aio.AioRpcError:
    """Returns the error of a failed call, unary or streaming."""
    try:
        if isinstance(call, grpc.aio.UnaryStreamCall):
            _ = [event async for event in call]
        else:
            await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call did not fail")


def details(error: grpc.aio.AioRpcError) -> dict[str, object]:
    """Returns the google.rpc details of a status, by the names of their messages."""
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    found = {}
    for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
        for packed in status.details:
            message = kind()
            if packed.Unpack(message):
                found[kind.DESCRIPTOR.name] = message
    return found


def violations(error: grpc.aio.AioRpcError) -> dict[str, str]:
    bad_request = details(error)["BadRequest"]
    return {entry.field: entry.description for entry in bad_request.field_violations}  # type: ignore[attr-defined]


# Responses


async def test_translate_returns_one_result_per_text_in_order() -> None:
    async with running() as server:
        request = pb.TranslateRequest(texts=["Hello", "Hi"], target_language="de")
        request.attention.kinds.append(pb.ATTENTION_KIND_ALIGNMENT)
        answer = await server.attention.Translate(request)
    assert [result.hypotheses[0].text for result in answer.results] == ["Hallo", "Hallo"]
    assert answer.results[0].hypotheses[0].attention[0].shape == [2, 2]
    assert server.script.calls[0].attention.kinds == ("alignment",)


async def test_summarize_and_caption_return_results() -> None:
    async with running() as server:
        summary = await server.attention.Summarize(pb.SummarizeRequest(texts=["Long text"]))
        caption = await server.attention.Caption(pb.CaptionRequest(images=[b"jpeg"]))
    assert len(summary.results) == len(caption.results) == 1


async def test_a_stream_has_started_token_and_finished_events() -> None:
    async with running() as server:
        translated = [event async for event in server.attention.StreamTranslate(STREAM_HELLO)]
        summarized = [event async for event in server.attention.StreamSummarize(pb.StreamSummarizeRequest(text="a"))]
        captioned = [event async for event in server.attention.StreamCaption(pb.StreamCaptionRequest(image=b"a"))]
    for events in (translated, summarized, captioned):
        assert [event.WhichOneof("event") for event in events] == ["started", "token", "token", "finished"]
    assert "".join(event.token.text_delta for event in translated) == "Hallo"
    assert translated[-1].finished.result.hypotheses[0].text == "Hallo"


async def test_models_are_listed_page_by_page() -> None:
    async with running() as server:
        first = await server.models.ListModels(pb.ListModelsRequest(page_size=1))
        second = await server.models.ListModels(pb.ListModelsRequest(page_size=1, page_token=first.next_page_token))
        translators = await server.models.ListModels(pb.ListModelsRequest(task=pb.TASK_TRANSLATION))
        wrong_filter = await failure(
            server.models.ListModels(pb.ListModelsRequest(page_token=first.next_page_token, task=pb.TASK_CAPTIONING))
        )
    assert [model.name for model in first.models] == ["damaged"]
    assert first.models[0].state == pb.MODEL_STATE_FAILED
    assert [model.name for model in second.models] == ["everyday"]
    assert second.next_page_token == ""
    assert [model.name for model in translators.models] == ["everyday"]
    assert violations(wrong_filter).keys() == {"page_token"}


async def test_one_model_by_name_and_version() -> None:
    async with running() as server:
        model = (await server.models.GetModel(pb.GetModelRequest(name="everyday"))).model
        missing = await failure(server.models.GetModel(pb.GetModelRequest(name="everyday", version="9")))
        unnamed = await failure(server.models.GetModel(pb.GetModelRequest()))
    assert (model.version, model.provider, model.precision, model.is_default) == ("2", "cpu", "int8", True)
    assert missing.code() == StatusCode.NOT_FOUND
    assert "everyday@2" in (missing.details() or "")
    assert violations(unnamed) == {"name": "is empty"}


# Errors


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (InvalidInput.of("texts[0]", "is too long"), StatusCode.INVALID_ARGUMENT, "INVALID_INPUT"),
        (ModelNotFound("no model 'x'; there are: everyday"), StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
        (Unsupported("not offered"), StatusCode.UNIMPLEMENTED, "UNSUPPORTED"),
        (Overloaded("the queue is full", 1.5), StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"),
        (NotReady("the model is loading"), StatusCode.UNAVAILABLE, "NOT_READY"),
        (Draining("the server is draining"), StatusCode.UNAVAILABLE, "DRAINING"),
        (DeadlinePassed("too late"), StatusCode.DEADLINE_EXCEEDED, "DEADLINE_PASSED"),
    ],
)
async def test_errors_become_statuses_with_details(error: ServiceError, code: StatusCode, reason: str) -> None:
    async with running(failing(error)) as server:
        unary = await failure(server.attention.Translate(HELLO))
        stream = await failure(server.attention.StreamTranslate(STREAM_HELLO))
        _, metrics = await server.get("/metrics")
    assert f'regard_refused_calls_total{{reason="{reason}"}} 2.0' in metrics
    for caught in (unary, stream):
        info = details(caught)["ErrorInfo"]
        assert caught.code() == code
        assert (info.reason, info.domain) == (reason, "regard")  # type: ignore[attr-defined]
    assert unary.details() == str(error)
    if isinstance(error, Overloaded):
        delay = details(unary)["RetryInfo"].retry_delay  # type: ignore[attr-defined]
        assert delay.ToMilliseconds() == 1500
    if isinstance(error, InvalidInput):
        assert violations(unary) == {"texts[0]": "is too long"}
        assert violations(stream) == {"text": "is too long"}


async def test_an_internal_error_reveals_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running(failing(ZeroDivisionError("secret of the house"))) as server:
        unary = await failure(server.attention.Translate(HELLO))
        stream = await failure(server.attention.StreamTranslate(STREAM_HELLO))
        server.script.error = None
        assert (await server.attention.Translate(HELLO)).results  # the server continues
    for caught in (unary, stream):
        assert caught.code() == StatusCode.INTERNAL
        assert caught.details() == "internal error; the server's log has the cause"
        assert details(caught)["ErrorInfo"].reason == "INTERNAL"  # type: ignore[attr-defined]
    assert "secret of the house" in caplog.text


async def test_every_violation_is_listed() -> None:
    request = pb.TranslateRequest(texts=["", "ok", "x" * 21])
    request.text_options.raw = True
    request.generation.num_beams = 99
    request.generation.top_p = 0
    request.attention.kinds.append(pb.ATTENTION_KIND_UNSPECIFIED)
    async with running(max_text_characters=20) as server:
        caught = await failure(server.attention.Translate(request))
    assert caught.code() == StatusCode.INVALID_ARGUMENT
    assert violations(caught) == {
        "texts[0]": "is empty",
        "texts[2]": "has 21 characters; the limit is 20",
        "generation.num_beams": "must be in [1, 16]; it is 99",
        "generation.top_p": "must be in (0, 1]; it is 0",
        "attention.kinds[0]": "names no kind",
    }


async def test_more_violations_than_trailers_hold_are_counted() -> None:
    async with running() as server:
        caught = await failure(server.attention.Summarize(pb.SummarizeRequest(texts=[" "] * 128)))
    found = violations(caught)
    assert caught.code() == StatusCode.INVALID_ARGUMENT
    assert found["request"] == f"and {128 - len(found) + 1} more violations"


async def test_text_that_is_not_utf8_is_an_error_of_the_caller() -> None:
    raw = b"\x12\x05Hello" + b"\x12\x02\xff\xfe" + b'"\x02de'
    async with running() as server:
        unary = server.channel.unary_unary(
            "/regard.v1.AttentionService/Translate", request_serializer=bytes, response_deserializer=bytes
        )
        stream = server.channel.unary_stream(
            "/regard.v1.AttentionService/StreamTranslate", request_serializer=bytes, response_deserializer=bytes
        )
        bad_text = await failure(unary(raw))
        bad_stream = await failure(stream(b"\x12\x02\xff\xfe"))
        garbage = await failure(unary(b"\xff\xff\xff"))
        assert (await server.attention.Translate(HELLO)).results  # the server continues
    assert bad_text.code() == bad_stream.code() == garbage.code() == StatusCode.INVALID_ARGUMENT
    assert violations(bad_text) == {"texts[1]": "is not valid UTF-8"}
    assert violations(bad_stream) == {"text": "is not valid UTF-8"}
    assert violations(garbage) == {"request": "these 3 bytes are not a regard.v1.TranslateRequest"}


async def test_a_message_over_the_limit_is_refused() -> None:
    request = pb.CaptionRequest(images=[b"x" * 5000])
    async with running(max_message_bytes=4096) as server:
        caught = await failure(server.attention.Caption(request))
        assert (await server.attention.Translate(HELLO)).results  # the server continues
    assert caught.code() == StatusCode.RESOURCE_EXHAUSTED
    assert "4096" in (caught.details() or "")


async def test_an_unknown_method_is_unimplemented() -> None:
    async with running() as server:
        call = server.channel.unary_unary(
            "/regard.v1.AttentionService/Dream", request_serializer=bytes, response_deserializer=bytes
        )
        caught = await failure(call(b""))
    assert caught.code() == StatusCode.UNIMPLEMENTED


# Cancellation


@pytest.mark.parametrize("is_stream", [False, True])
async def test_cancelling_reaches_the_data_plane(is_stream: bool) -> None:
    async with running(Script()) as server:
        call: grpc.aio.Call
        if is_stream:
            call = stream = server.attention.StreamTranslate(STREAM_HELLO)
            await stream.read()
        else:
            call = server.attention.Translate(HELLO)
        await asyncio.wait_for(server.script.entered.wait(), PATIENCE_S)
        call.cancel()
        await asyncio.wait_for(server.script.cancelled.wait(), PATIENCE_S)
        await handled(server, "Canceled")


async def test_a_deadline_reaches_the_data_plane() -> None:
    async with running(Script()) as server:
        for time_s in ever_longer(0.2):
            caught = await failure(server.attention.Translate(HELLO, timeout=time_s))
            if server.script.calls:
                break
        await asyncio.wait_for(server.script.cancelled.wait(), PATIENCE_S)
        await handled(server, "DeadlineExceeded")
    assert caught.code() == StatusCode.DEADLINE_EXCEEDED
    assert server.script.calls[0].deadline is not None


async def handled(server: Running, code: str) -> None:
    """Waits until a call has been counted under this code."""
    await asyncio.to_thread(wait_until, lambda: f'grpc_code="{code}"' in server.fetch("/metrics")[1])


# Layers


async def test_the_request_id_comes_back_and_the_log_has_one_line_a_call(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running() as server:
        named = server.attention.Translate(HELLO, metadata=(("x-request-id", "mine-1"),))
        await named
        unnamed = server.attention.Translate(HELLO)
        await unnamed
        own_id = dict(await unnamed.trailing_metadata())["x-request-id"]
        failed = await failure(server.attention.Translate(pb.TranslateRequest()))
    assert dict(await named.trailing_metadata())["x-request-id"] == "mine-1"
    lines = [record for record in caplog.records if record.getMessage() == "regard.v1.AttentionService/Translate"]
    fields = [record.fields for record in lines]  # type: ignore[attr-defined]
    assert [field["request_id"] for field in fields[:2]] == ["mine-1", own_id]
    assert [field["code"] for field in fields] == ["OK", "OK", "INVALID_ARGUMENT"]
    assert fields[0]["model"] == "everyday@2"
    assert (fields[0]["num_inputs"], fields[0]["num_source_tokens"], fields[0]["num_target_tokens"]) == (1, 2, 2)
    assert fields[2]["fields"] == ["texts"]
    assert dict(failed.trailing_metadata() or ())["x-request-id"] == fields[2]["request_id"]
    assert not any(text in caplog.text for text in ("Hello", "Hallo"))


async def test_metrics_cover_calls_models_and_the_process() -> None:
    async with running() as server:
        await server.attention.Translate(HELLO)
        await failure(server.attention.Translate(pb.TranslateRequest()))
        _ = [event async for event in server.attention.StreamTranslate(STREAM_HELLO)]
        status, text = await server.get("/metrics")
        _, open_metrics = await server.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    unary = 'grpc_method="Translate",grpc_service="regard.v1.AttentionService",grpc_type="unary"'
    stream = 'grpc_method="StreamTranslate",grpc_service="regard.v1.AttentionService",grpc_type="server_stream"'
    assert status == 200
    for line in (
        f"grpc_server_started_total{{{unary}}} 2.0",
        f'grpc_server_handled_total{{grpc_code="OK",{unary}}} 1.0',
        f'grpc_server_handled_total{{grpc_code="InvalidArgument",{unary}}} 1.0',
        f"grpc_server_handling_seconds_count{{{unary}}} 2.0",
        f"grpc_server_msg_received_total{{{unary}}} 2.0",
        f"grpc_server_msg_sent_total{{{unary}}} 1.0",
        f"grpc_server_msg_sent_total{{{stream}}} 4.0",
        'regard_model_info{model="everyday",precision="int8",provider="cpu",task="translation",version="2"} 1.0',
        'regard_model_ready{model="damaged"} 0.0',
    ):
        assert line in text
    assert "process_resident_memory_bytes" in text
    assert open_metrics.endswith("# EOF\n")


async def test_http_reports_health() -> None:
    async with running() as server:
        assert await server.get("/healthz") == (200, '{"status":"ok"}')
        assert await server.get("/readyz") == (200, '{"status":"ready"}')
        status, text = await server.get("/nothing")
    assert status == 404
    assert json.loads(text)["detail"] == "there is no /nothing; /docs lists the paths"


async def test_reflection_describes_the_api_unless_switched_off() -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async with running() as server:
        stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
        answers = [answer async for answer in stub.ServerReflectionInfo(iter([request]))]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {"regard.v1.AttentionService", "regard.v1.ModelService", "grpc.health.v1.Health"} <= names
    async with running(reflection=False) as server:
        stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
        with pytest.raises(grpc.aio.AioRpcError, match="UNIMPLEMENTED"):
            _ = [answer async for answer in stub.ServerReflectionInfo(iter([request]))]


# Health


async def test_health_by_service_and_model() -> None:
    async with running() as server:
        statuses = {
            name: (await server.health.Check(health_pb2.HealthCheckRequest(service=name))).status
            for name in ("", "regard.v1.AttentionService", "regard.v1.ModelService", "model/everyday", "model/damaged")
        }
        unknown = await failure(server.health.Check(health_pb2.HealthCheckRequest(service="model/none")))
    assert statuses.pop("model/damaged") == NOT_SERVING
    assert set(statuses.values()) == {SERVING}
    assert unknown.code() == StatusCode.NOT_FOUND


async def test_a_watch_reports_unloaded_models_and_the_drain() -> None:
    seen: list[int] = []
    async with running(drain_timeout_s=10 * PATIENCE_S) as server:
        watch = server.health.Watch(health_pb2.HealthCheckRequest(service=""))
        seen.append((await watch.read()).status)
        await server.models.UnloadModel(pb.UnloadModelRequest(name="everyday"))
        seen.append((await watch.read()).status)
        status, text = await server.get("/readyz")
        await asyncio.wait_for(server.server.stop(), PATIENCE_S)  # the watch does not hold it up
    assert seen == [SERVING, NOT_SERVING]
    assert (status, json.loads(text)["reasons"]) == (503, ["there is no default model"])


async def test_probes_can_have_their_own_port() -> None:
    async with (
        running(health_port=0) as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.server.health_port}") as channel,
    ):
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        caught = await failure(pb_grpc.AttentionServiceStub(channel).Translate(HELLO))
    assert health.status == SERVING
    assert caught.code() == StatusCode.UNIMPLEMENTED


# Start and stop


async def test_draining_finishes_the_calls_there_are() -> None:
    async with running(Script(expected=2), drain_timeout_s=PATIENCE_S) as server:
        unary = server.attention.Translate(HELLO)
        stream = server.attention.StreamTranslate(STREAM_HELLO)
        first = await stream.read()
        await asyncio.wait_for(server.script.entered.wait(), PATIENCE_S)
        stopping = asyncio.ensure_future(server.server.stop())
        await server.wait_until_draining()
        status, text = await server.get("/readyz")
        assert not stopping.done()
        assert "drain" not in server.script.order
        refused = await failure(server.attention.Translate(HELLO))
        server.script.gate.set()
        assert (await unary).results
        rest = [await stream.read() for _ in range(3)]
        await asyncio.wait_for(stopping, PATIENCE_S)
    assert refused.code() == StatusCode.UNAVAILABLE
    assert details(refused)["ErrorInfo"].reason == "DRAINING"  # type: ignore[attr-defined]
    events = [event for event in (first, *rest) if isinstance(event, pb.StreamTranslateResponse)]  # others are EOF
    assert [event.WhichOneof("event") for event in events] == ["started", "token", "token", "finished"]
    assert (status, json.loads(text)["reasons"]) == (503, ["the server is draining"])
    assert server.script.order == ["call", "call", "drain", "close"]


async def test_draining_ends_after_its_timeout() -> None:
    async with running(Script(), drain_timeout_s=0.2) as server:
        call = server.attention.Translate(HELLO)
        await asyncio.wait_for(server.script.entered.wait(), PATIENCE_S)
        await asyncio.wait_for(server.server.stop(), PATIENCE_S)
        assert (await failure(call)).code() in (StatusCode.CANCELLED, StatusCode.UNAVAILABLE)
        assert server.script.cancelled.is_set()


@pytest.mark.parametrize("setting", ["grpc_port", "http_port", "health_port"])
async def test_a_port_in_use_is_an_error_that_names_it(setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"{setting}.*{port}"):
            async with running(**{setting: port}):
                pass


async def test_http_answers_while_models_load_and_a_failed_start_leaves_nothing() -> None:
    probed: list[int] = []

    def load(settings: Settings, observer: object) -> FakeBackend:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/readyz", timeout=PATIENCE_S)
        with caught.value as answer:
            probed.append(answer.code)
        raise NotReady("no model 'everyday'")

    server = Server(Settings(grpc_port=0, http_port=0), load)
    with pytest.raises(NotReady):
        await server.start()
    assert probed == [503]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.http_port), timeout=PATIENCE_S).close()
