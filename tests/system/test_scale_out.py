"""Several replicas under load, balanced by the client or by a proxy: one is killed, one drains, and no call fails."""

import asyncio
import signal
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.loadtest.runner import Outcome, Runner
from benchmarks.loadtest.scenario import Scenario
from tests.deploy.haproxy import running_haproxy
from tests.deploy.tools import DEPLOY
from tests.system.served import Served, served

NUM_REPLICAS = 3
DURATION_S = 5.0


@pytest.fixture
def replicas() -> Iterator[list[Served]]:
    flags = ("--models=everyday", "--num-workers=1", "--max-queue=1024")
    with ExitStack() as stack:
        yield [stack.enter_context(served(*flags)) for _ in range(NUM_REPLICAS)]


def num_answered(replica: Served) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{replica.http_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if 'grpc_code="OK"' in line and 'grpc_method="Translate"' in line]
    return int(float(found[0].rsplit(" ", 1)[1]))


def scenario() -> Scenario:
    """Twelve callers over four connections, with the client library's retries."""
    shipped = Scenario.read(DEPLOY / "loadtest" / "scenarios" / "closed.toml")
    arrivals = shipped.arrivals.model_copy(update={"clients": 12})
    changes = {"duration_s": DURATION_S, "warmup_s": 0.5, "retries": True, "connections": 4, "arrivals": arrivals}
    return shipped.model_copy(update=changes)


async def run_with_losses(target: str, replicas: list[Served]) -> tuple[list[Outcome], list[int]]:
    """Loads the target; kills a replica and drains another on the way. Returns also what each had answered by then."""
    killed, drained, left = replicas
    running = asyncio.create_task(Runner(scenario(), target).run())
    await asyncio.sleep(1.5)
    answered = [await asyncio.to_thread(num_answered, replica) for replica in replicas]
    killed.process.kill()
    await asyncio.sleep(1.5)
    drained.process.send_signal(signal.SIGTERM)
    outcomes = await asyncio.wait_for(running, 60)
    assert await asyncio.to_thread(drained.process.wait, 30) == 0
    assert left.process.poll() is None
    return outcomes, answered


def check(outcomes: list[Outcome], answered: list[int]) -> None:
    assert Counter(outcome.code for outcome in outcomes) == {"OK": len(outcomes)}
    assert min(answered) > 0.2 * sum(answered) / NUM_REPLICAS, f"one had hardly any calls: {answered}"
    assert max(outcome.done for outcome in outcomes) > DURATION_S, "the load went on to its end"
    assert max(outcome.latency_s for outcome in outcomes) < 5, "nobody waited long for the lost ones"


async def test_the_client_loses_no_call(replicas: list[Served]) -> None:
    target = "ipv4:" + ",".join(replica.target for replica in replicas)
    check(*await run_with_losses(target, replicas))


async def test_behind_a_proxy_no_call_is_lost(replicas: list[Served], tmp_path: Path) -> None:
    with running_haproxy(tmp_path, replicas) as target:
        await asyncio.sleep(0.5)  # its first health checks
        check(*await run_with_losses(target, replicas))
