"""Clients of one API in a closed loop, over open connections: each sends its next text when its last is there.

Runs in its own process. Reads a `DoorLoad` as JSON from standard input and writes a `DoorResult` to standard output.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, get_args

import grpc
import uvloop
from pydantic import BaseModel, ConfigDict

from benchmarks.harness.process import cpu_seconds
from benchmarks.harness.spread import percentile
from benchmarks.loadtest.http_apis import HttpApi, Translation, WrongAnswer, http_request, outputs_of
from benchmarks.loadtest.http_connection import HttpConnection
from benchmarks.serving.sentences import SENTENCES
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs

Way = Literal["grpc", HttpApi]
WAYS: tuple[Way, ...] = get_args(Way)

CALL_TIMEOUT_S = 60.0
OK = 200
_CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))

Translate = Callable[[str], Awaitable[str]]


class DoorLoad(BaseModel):
    """What to send, and for how long. Attributes: server_pid: process whose CPU time is measured."""

    model_config = ConfigDict(frozen=True)

    way: Way
    grpc_port: int
    http_port: int
    server_pid: int
    num_clients: int = 32
    warmup_s: float = 1.0
    duration_s: float = 4.0


class DoorResult(BaseModel):
    """The results; CPU times are per request, of the server and of this process."""

    model_config = ConfigDict(frozen=True)

    requests_per_s: float
    latency_p50_ms: float
    latency_p95_ms: float
    server_cpu_ms: float
    generator_cpu_ms: float


@dataclass
class _Window:
    begins: float
    ends: float
    latencies_s: list[float] = field(default_factory=list)


@asynccontextmanager
async def _over_grpc(load: DoorLoad) -> AsyncIterator[Translate]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{load.grpc_port}", _CHANNEL_OPTIONS) as channel:
        stub: stubs.AttentionServiceAsyncStub = stubs.AttentionServiceStub(channel)

        async def translate(text: str) -> str:
            request = pb.TranslateRequest(model="everyday", texts=[text], source_language="en", target_language="de")
            answer = await stub.Translate(request, timeout=CALL_TIMEOUT_S)
            return answer.results[0].hypotheses[0].text

        yield translate


@asynccontextmanager
async def _over_http(load: DoorLoad, api: HttpApi) -> AsyncIterator[Translate]:
    connection = await HttpConnection.open(f"127.0.0.1:{load.http_port}")
    model = "" if api in ("libretranslate", "deepl") else "everyday"

    async def translate(text: str) -> str:
        request = http_request(api, Translation([text], "en", "de", model))
        answer = await connection.post(request)
        if answer.status != OK:
            raise WrongAnswer(answer.body.decode())
        return str(outputs_of(request, answer.body)[0])

    try:
        yield translate
    finally:
        connection.close()


async def generate(load: DoorLoad) -> DoorResult:
    """Runs the load."""
    begins = time.perf_counter() + load.warmup_s
    window = _Window(begins, begins + load.duration_s)
    source = itertools.cycle(SENTENCES)
    async with asyncio.TaskGroup() as group:
        clock = group.create_task(_cpu_clock(window, load.server_pid))
        for _ in range(load.num_clients):
            group.create_task(_client(load, source, window))
    count = len(window.latencies_s)
    if not count:
        raise WrongAnswer(f"no request was answered within {load.duration_s} s")
    server_s, own_s = clock.result()
    return DoorResult(
        requests_per_s=round(count / load.duration_s, 2),
        latency_p50_ms=round(1000 * percentile(window.latencies_s, 0.50), 3),
        latency_p95_ms=round(1000 * percentile(window.latencies_s, 0.95), 3),
        server_cpu_ms=round(1000 * server_s / count, 3),
        generator_cpu_ms=round(1000 * own_s / count, 3),
    )


async def _client(load: DoorLoad, source: Iterator[str], window: _Window) -> None:
    client = _over_grpc(load) if load.way == "grpc" else _over_http(load, load.way)
    async with client as translate:
        while (sent := time.perf_counter()) < window.ends:
            if not await translate(next(source)):
                raise WrongAnswer("a translation is empty")
            answered = time.perf_counter()
            if window.begins <= answered < window.ends:
                window.latencies_s.append(answered - sent)


async def _cpu_clock(window: _Window, server_pid: int) -> tuple[float, float]:
    """CPU seconds that the server and this process use in the measurement."""
    await asyncio.sleep(window.begins - time.perf_counter())
    server, own = cpu_seconds(server_pid) or 0.0, time.process_time()
    await asyncio.sleep(window.ends - time.perf_counter())
    return (cpu_seconds(server_pid) or 0.0) - server, time.process_time() - own


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(runner.run(generate(DoorLoad.model_validate_json(sys.stdin.read()))).model_dump_json())
