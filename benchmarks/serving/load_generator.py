"""The load generator: each client sends its next request as soon as its last is answered (a closed loop).

Runs in its own process, like real clients, but on the server's cores. Reads a `Load` as JSON from standard input and
writes a `LoadResult` to standard output.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import grpc
import uvloop
from pydantic import BaseModel, ConfigDict

from benchmarks.harness.process import cpu_seconds
from benchmarks.harness.spread import percentile
from benchmarks.serving.sentences import SENTENCES
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs

CALL_TIMEOUT_S = 60.0

# Clients share no connection, like clients on different machines.
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))


class Load(BaseModel):
    """What to send, and for how long.

    Attributes:
        alignment: whether requests ask for the alignment.
        num_beams: 1 is greedy search.
        warmup_s: load before the measurement.
        duration_s: length of the measurement.
        max_requests: ends the load early.
        server_pid: process whose CPU time is measured; None measures none.
    """

    model_config = ConfigDict(frozen=True)

    target: str
    model: str
    language: str
    num_clients: int
    alignment: bool = False
    num_beams: int = 1
    warmup_s: float = 1.0
    duration_s: float = 4.0
    max_requests: int = 100_000
    server_pid: int | None = None


class LoadResult(BaseModel):
    """The results of the measurement.

    Attributes:
        tokens_per_s, tokens_per_request: output tokens, including end tokens.
        latency_p50_ms, latency_p95_ms: from sending a request until its answer arrives.
        server_cpu_ms: CPU time of the server per request; None if the system does not report it.
        generator_cpu_ms: CPU time of this process per request.
    """

    model_config = ConfigDict(frozen=True)

    num_requests: int
    seconds: float
    requests_per_s: float
    tokens_per_s: float
    tokens_per_request: float
    latency_p50_ms: float
    latency_p95_ms: float
    server_cpu_ms: float | None
    generator_cpu_ms: float


class WrongAnswer(Exception):
    """An answer does not match its request, or no request was answered in time."""


@dataclass
class _Window:
    """The measurement and its answers.

    Attributes:
        begins, ends: times by `time.perf_counter`.
        latencies_s: one latency per request that was answered in the measurement.
        num_sent: number of sent requests, including the warm-up.
        last_answer: time of the last answer.
    """

    begins: float
    ends: float
    latencies_s: list[float] = field(default_factory=list)
    num_tokens: int = 0
    num_sent: int = 0
    last_answer: float = 0.0

    def add(self, sent: float, answered: float, num_tokens: int) -> None:
        if self.begins <= answered < self.ends:
            self.latencies_s.append(answered - sent)
            self.num_tokens += num_tokens
            self.last_answer = answered


def requests(load: Load) -> Iterator[pb.TranslateRequest]:
    """Yields requests without end, with the sentences in turn."""
    kinds = [pb.ATTENTION_KIND_ALIGNMENT] if load.alignment else []
    made = [
        pb.TranslateRequest(
            model=load.model,
            texts=[text],
            target_language=load.language,
            generation=pb.GenerationConfig(num_beams=load.num_beams),
            attention=pb.AttentionConfig(kinds=kinds),
        )
        for text in SENTENCES
    ]
    return itertools.cycle(made)


async def generate(load: Load) -> LoadResult:
    """Runs the load."""
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(load.target, CHANNEL_OPTIONS))
            for _ in range(load.num_clients)
        ]
        begins = time.perf_counter() + load.warmup_s
        window = _Window(begins, begins + load.duration_s)
        source = requests(load)
        async with asyncio.TaskGroup() as group:
            clock = group.create_task(_cpu_clock(window, load.server_pid))
            for channel in channels:
                group.create_task(_client(stubs.AttentionServiceStub(channel), source, window, load))
        return _result(window, load, *clock.result())


async def _client(
    stub: "stubs.AttentionServiceAsyncStub", source: Iterator[pb.TranslateRequest], window: _Window, load: Load
) -> None:
    while (sent := time.perf_counter()) < window.ends and window.num_sent < load.max_requests:
        window.num_sent += 1
        answer = await stub.Translate(next(source), timeout=CALL_TIMEOUT_S)
        best = answer.results[0].hypotheses[0]
        if load.alignment != bool(best.attention):
            raise WrongAnswer("an alignment is missing, or was not requested")
        window.add(sent, time.perf_counter(), len(best.tokens))


async def _cpu_clock(window: _Window, server_pid: int | None) -> tuple[float | None, float]:
    """CPU seconds that the server and this process use in the measurement."""
    await asyncio.sleep(window.begins - time.perf_counter())
    server, own = _server_cpu(server_pid), time.process_time()
    await asyncio.sleep(window.ends - time.perf_counter())
    server_end = _server_cpu(server_pid)
    used = None if server is None or server_end is None else server_end - server
    return used, time.process_time() - own


def _server_cpu(server_pid: int | None) -> float | None:
    return None if server_pid is None else cpu_seconds(server_pid)


def _result(window: _Window, load: Load, server_cpu_s: float | None, own_cpu_s: float) -> LoadResult:
    count = len(window.latencies_s)
    if count == 0:
        raise WrongAnswer(f"no request was answered within {load.duration_s} s")
    ended_early = window.num_sent >= load.max_requests
    seconds = window.last_answer - window.begins if ended_early else load.duration_s
    return LoadResult(
        num_requests=count,
        seconds=round(seconds, 3),
        requests_per_s=round(count / seconds, 2),
        tokens_per_s=round(window.num_tokens / seconds, 1),
        tokens_per_request=round(window.num_tokens / count, 2),
        latency_p50_ms=round(1000 * percentile(window.latencies_s, 0.50), 3),
        latency_p95_ms=round(1000 * percentile(window.latencies_s, 0.95), 3),
        server_cpu_ms=None if server_cpu_s is None else round(1000 * server_cpu_s / count, 3),
        generator_cpu_ms=round(1000 * own_cpu_s / count, 3),
    )


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # leaves more CPU time to the server
        print(runner.run(generate(Load.model_validate_json(sys.stdin.read()))).model_dump_json())
