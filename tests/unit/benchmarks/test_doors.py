"""The load of doors against a server without models, and the report of what it measures."""

from datetime import UTC, datetime

import pytest

from benchmarks.doors.door_load import WAYS, DoorLoad, DoorResult, Way, generate
from benchmarks.doors.doors_report import DoorsReport, WayReport
from benchmarks.harness.machine import Machine
from benchmarks.loadtest.http_apis import WrongAnswer
from regard_service.errors import Overloaded
from tests.integration.test_servicers import Running, failing, running
from tests.waiting import ever_longer

OPEN = {f"{way}_door": True for way in WAYS if way not in ("grpc", "json")}


def load(server: Running, way: Way, duration_s: float) -> DoorLoad:
    ports = {"grpc_port": server.server.grpc_port, "http_port": server.server.http_port}
    return DoorLoad(way=way, server_pid=1, num_clients=2, warmup_s=0.0, duration_s=duration_s, **ports)


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_is_answered(way: Way) -> None:
    async with running(None, **OPEN) as server:
        for seconds in ever_longer(0.05):
            try:
                result = await generate(load(server, way, seconds))
            except WrongAnswer:  # none was answered in so short a time
                continue
            break
    assert result.requests_per_s > 0
    assert 0 < result.latency_p50_ms <= result.latency_p95_ms
    assert len(server.script.calls) >= result.requests_per_s * seconds


async def test_an_answer_that_is_an_error_ends_the_load() -> None:
    async with running(failing(Overloaded("full", 1.0)), **OPEN) as server:
        with pytest.raises(ExceptionGroup, match="unhandled"):
            await generate(load(server, "libretranslate", 1.0))


def test_ratios_compare_measurements_of_one_round() -> None:
    def result(requests_per_s: float, cpu_ms: float) -> DoorResult:
        return DoorResult(
            requests_per_s=requests_per_s, latency_p50_ms=1, latency_p95_ms=2, server_cpu_ms=cpu_ms, generator_cpu_ms=1
        )

    over_grpc = [result(100, 2), result(200, 2), result(400, 2)]
    over_door = [result(95, 2.1), result(190, 2.2), result(200, 2)]
    ways = (WayReport.of("grpc", over_grpc, over_grpc), WayReport.of("libretranslate", over_door, over_grpc))
    assert ways[1].ratio.values == (0.95, 0.95, 0.5)
    assert ways[1].cpu_ratio.median == 1.05
    report = DoorsReport(
        date=datetime(2026, 1, 2, tzinfo=UTC), command="", commit="", machine=Machine.here(), num_clients=32, ways=ways
    )
    figures, bounds = report.tables()
    assert figures.rows[1][:3] == ("LibreTranslate", "190.0 (95.0 to 200.0)", "0.95 (0.50 to 0.95)")
    assert [row[1:] for row in bounds.rows] == [["0.95", "at least 0.9", "yes"]]
