"""A stuck engine ends liveness, on gRPC and HTTP, until it steps again."""

import json
import logging
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import regard
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.engine.runtime.runner import Runner
from tests.integration.conftest import running
from tests.toys import write_summarizer
from tests.waiting import PATIENCE_S, wait_until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def healthz(server: Server) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/healthz") as answer:
            return answer.status, json.load(answer)["status"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["status"]


def wait_for_liveness(status: int, stub: Any) -> None:
    wait_until(lambda: stub.Check(health_pb2.HealthCheckRequest(service="live")).status == status)


def test_a_stuck_engine_is_not_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_summarizer(tmp_path / "beginnings")
    settings = Settings(grpc_port=0, http_port=0, model_directories=(tmp_path,), watchdog_timeout_s=1, num_workers=1)
    gate, step = threading.Event(), Runner.step

    def blocked(*arguments: Any) -> Any:
        assert gate.wait(PATIENCE_S)
        return step(*arguments)

    with (
        running(settings) as server,
        regard.Client(f"127.0.0.1:{server.grpc_port}") as client,
        grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
        caplog.at_level(logging.WARNING, "regard_service.observability.watchdog"),
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        client.summarize("The end.")
        wait_for_liveness(SERVING, stub)
        caplog.clear()  # a busy machine may have held up the first call

        monkeypatch.setattr(Runner, "step", blocked)
        caller = threading.Thread(target=client.summarize, args=("The end.",))
        caller.start()
        wait_for_liveness(NOT_SERVING, stub)
        assert healthz(server) == (503, "the engine is stuck")
        assert stub.Check(health_pb2.HealthCheckRequest()).status == SERVING  # a restart helps, other routes do not

        gate.set()
        caller.join(PATIENCE_S)
        assert not caller.is_alive()
        wait_for_liveness(SERVING, stub)
        assert healthz(server) == (200, "ok")
    lines = [record.message for record in caplog.records]
    assert [line.split(":")[0] for line in lines] == ["the engine is stuck", "the engine steps again"]
