"""Several replicas under load, balanced by the client or by a proxy: one is killed, one drains, and no call fails."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from itertools import cycle
from pathlib import Path

import pytest

import regard
from tests.deploy.haproxy import running_haproxy
from tests.deploy.tools import DEPLOY
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S, wait_until

NUM_REPLICAS = 3
NUM_CALLERS = 12
NUM_CLIENTS = 4
MIN_CALLS = 50  # answered by each replica before the next thing happens
# Less than the 80 s after which keepalive notices a dead connection: a call of the lost replica must not wait for that.
TIMEOUT_S = 60.0
ANSWERED = 'grpc_server_handled_total{grpc_code="OK",grpc_method="Translate"'
TEXTS = (DEPLOY / "loadtest" / "texts" / "everyday.txt").read_text(encoding="utf-8").split("\n")[:20]


@pytest.fixture
def replicas() -> Iterator[list[Served]]:
    flags = ("--models=everyday", "--num-workers=1", "--max-queue=1024", f"--drain-timeout-s={PATIENCE_S}")
    with ExitStack() as stack:
        yield [stack.enter_context(served(*flags)) for _ in range(NUM_REPLICAS)]


async def answer_more(*replicas: Served) -> list[float]:
    """Waits until each of these has answered `MIN_CALLS` more; returns how many each has answered in all."""

    def answered() -> list[float]:
        return [replica.metric(ANSWERED) for replica in replicas]

    before = await asyncio.to_thread(answered)

    def have_answered() -> list[float]:
        now = answered()
        return now if min(b - a for a, b in zip(before, now, strict=True)) >= MIN_CALLS else []

    return await asyncio.to_thread(wait_until, have_answered)


async def call_without_end(client: regard.AsyncClient, expected: dict[str, str], stopping: asyncio.Event) -> None:
    """One call after the other; a call that fails, or whose text is wrong, fails the test."""
    for text, translation in cycle(expected.items()):
        if stopping.is_set():
            return
        assert (await client.translate(text, to="de", num_beams=1)).text == translation


async def lose_replicas_under_load(target: str, replicas: list[Served]) -> None:
    """Kills a replica and drains another while callers go on, each as soon as the others have gone on without it."""
    killed, drained, left = replicas
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(regard.AsyncClient(target, timeout=TIMEOUT_S)) for _ in range(NUM_CLIENTS)
        ]
        results = await clients[0].translate(TEXTS, to="de", num_beams=1)
        expected = {text: result.text for text, result in zip(TEXTS, results, strict=True)}
        async with asyncio.TaskGroup() as group:
            for _, client in zip(range(NUM_CALLERS), cycle(clients), strict=False):
                group.create_task(call_without_end(client, expected, stopping))
            answered = await answer_more(*replicas)
            assert min(answered) > 0.2 * sum(answered) / NUM_REPLICAS, f"one had hardly any calls: {answered}"
            killed.process.kill()
            await answer_more(drained, left)
            drained.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(drained.process.wait, PATIENCE_S) == 0
            await answer_more(left)
            stopping.set()
    assert left.process.poll() is None


async def test_the_client_loses_no_call(replicas: list[Served]) -> None:
    target = "ipv4:" + ",".join(replica.target for replica in replicas)
    await lose_replicas_under_load(target, replicas)


async def test_behind_a_proxy_no_call_is_lost(replicas: list[Served], tmp_path: Path) -> None:
    with running_haproxy(tmp_path, replicas) as target:
        await lose_replicas_under_load(target, replicas)
