"""The load generator of the served rows: each client sends its next request as soon as its last is answered.

Runs in its own process: reads a `Load` as JSON from standard input and writes a `LoadResult` to standard output.
Each request sets the length of its output, which the generator checks.
"""

import asyncio
import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import mean
from typing import Any, Literal

import grpc
import uvloop
from pydantic import BaseModel, ConfigDict

from benchmarks.harness.process import cpu_seconds, process_family
from benchmarks.harness.spread import percentile
from benchmarks.peers.worker import WorkerFailed
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs

CALL_TIMEOUT_S = 120.0
PROCESS_TIMEOUT_S = 180.0  # beyond the length of the load

# Clients share no connection, like clients on different machines.
CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
)

Timings = tuple[float, ...]
"""Regard's timings of a request in ms, one per name of `TIMINGS`; empty for other servers."""

TIMINGS = ("queue", "encode", "decode")

Call = Callable[[str, int], Awaitable[tuple[int, Timings]]]
"""Sends a text and the number of output tokens to generate; returns the number of output tokens and the timings."""


@dataclass(frozen=True)
class Answered:
    """An answered request; `at` is the time of the answer by `time.perf_counter`."""

    at: float
    seconds: float
    num_tokens: int
    timings: Timings


class Load(BaseModel):
    """What to send, and for how long.

    Attributes:
        api: Regard's API for translations or for vectors, the peers' thin gRPC API, or JSON over HTTP.
        requests: pairs of a text and the length of its output, sent in turn; at 0 the model itself ends the output.
        language: target language, for models with several.
        attention: kinds of maps to request from Regard.
        warmup_s: load before the measurement.
        duration_s: length of the measurement.
        server_pid: process whose CPU time is measured, with its descendants.
    """

    model_config = ConfigDict(frozen=True)

    api: Literal["regard", "regard-encode", "thin", "http"]
    target: str
    model: str
    requests: tuple[tuple[str, int], ...]
    language: str = ""
    num_clients: int = 32
    attention: tuple[str, ...] = ()
    warmup_s: float
    duration_s: float
    server_pid: int


class LoadResult(BaseModel):
    """The results of the measurement.

    Attributes:
        num_requests: number of requests answered in the measurement.
        num_answered: number of requests answered in the whole load.
        mean_ms, p50_ms, p95_ms: from sending a request until its answer arrives.
        server_cores, client_cores: CPU time per second.
        timings_ms: means of Regard's timings: queue, encode, decode.
    """

    model_config = ConfigDict(frozen=True)

    num_requests: int
    num_answered: int
    tokens_per_s: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    server_cores: float
    client_cores: float
    timings_ms: dict[str, float] = {}


def run(load: Load) -> LoadResult:
    """Runs a load in its own process.

    Raises:
        WorkerFailed: a request failed, an answer was incorrect, or the process did not end in time.
    """
    timeout_s = load.warmup_s + load.duration_s + PROCESS_TIMEOUT_S
    command = [sys.executable, "-m", "benchmarks.peers.served_load"]
    try:
        done = subprocess.run(
            command, input=load.model_dump_json(), capture_output=True, text=True, timeout=timeout_s, check=True
        )
    except subprocess.CalledProcessError as error:
        raise WorkerFailed(f"the load failed:\n{error.stderr[-2000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise WorkerFailed(f"the load did not end in {timeout_s:.0f} s") from error
    return LoadResult.model_validate_json(done.stdout)


async def generate(load: Load) -> LoadResult:
    """Runs a load in this process."""
    begins = time.perf_counter() + load.warmup_s
    ends = begins + load.duration_s
    answered: list[Answered] = []
    requests = itertools.cycle(load.requests)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        cpu = group.create_task(_cpu(load.server_pid, begins, ends))
        for _ in range(load.num_clients):
            group.create_task(_client(await _connected(load, stack), requests, ends, answered))
    counted = [each for each in answered if begins <= each.at < ends]
    return _result(load, counted, len(answered), *cpu.result())


def _result(
    load: Load, counted: Sequence[Answered], num_answered: int, server_cpu_s: float, client_cpu_s: float
) -> LoadResult:
    if not counted:
        raise RuntimeError(f"no request was answered within {load.duration_s} s")
    latencies = [1000 * each.seconds for each in counted]
    timings = list(zip(*(each.timings for each in counted), strict=True))
    return LoadResult(
        num_requests=len(counted),
        num_answered=num_answered,
        tokens_per_s=round(sum(each.num_tokens for each in counted) / load.duration_s, 1),
        mean_ms=round(mean(latencies), 2),
        p50_ms=round(percentile(latencies, 0.50), 2),
        p95_ms=round(percentile(latencies, 0.95), 2),
        server_cores=round(server_cpu_s / load.duration_s, 2),
        client_cores=round(client_cpu_s / load.duration_s, 2),
        timings_ms={name: round(mean(values), 2) for name, values in zip(TIMINGS, timings, strict=False)},
    )


async def _client(call: Call, requests: Iterator[tuple[str, int]], ends: float, answered: list[Answered]) -> None:
    while (sent := time.perf_counter()) < ends:
        text, length = next(requests)
        count, timings = await call(text, length)
        if length and count != length:
            raise RuntimeError(f"an answer has {count} tokens instead of {length}")
        now = time.perf_counter()
        answered.append(Answered(now, now - sent, count, timings))


async def _connected(load: Load, stack: AsyncExitStack) -> Call:
    """Opens a client's connection."""
    if load.api == "http":
        reader, writer = await asyncio.open_connection(*load.target.split(":"))
        stack.callback(writer.close)
        return _http(reader, writer, load.target)
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(load.target, CHANNEL_OPTIONS))
    if load.api == "thin":
        return _thin(channel)
    if load.api == "regard-encode":
        return _encode_call(channel, load.model)
    return regard_call(channel, load.model, load.language, load.attention)


def regard_call(channel: grpc.aio.Channel, model: str, language: str, attention: Sequence[str] = ()) -> Call:
    """Greedy translations by a Regard server; `attention` names the kinds of maps that every request asks for."""
    stub: stubs.AttentionServiceAsyncStub = stubs.AttentionServiceStub(channel)
    kinds = [pb.AttentionKind.Value(kind) for kind in attention]

    async def call(text: str, length: int) -> tuple[int, Timings]:
        request = pb.TranslateRequest(
            model=model,
            texts=[text],
            target_language=language,
            generation=pb.GenerationConfig(num_beams=1, max_new_tokens=length or None),
            attention=pb.AttentionConfig(kinds=kinds),
        )
        result = (await stub.Translate(request, timeout=CALL_TIMEOUT_S)).results[0]
        best, timings = result.hypotheses[0], result.timings
        if len(best.attention) != len(kinds):
            raise RuntimeError(f"an answer has {len(best.attention)} maps instead of {len(kinds)}")
        return len(best.tokens), (timings.queue_ms, timings.encode_ms, timings.decode_ms)

    return call


def _encode_call(channel: grpc.aio.Channel, model: str) -> Call:
    """Vectors by a Regard server; the tokens are those of the text."""
    stub: stubs.AttentionServiceAsyncStub = stubs.AttentionServiceStub(channel)

    async def call(text: str, _: int) -> tuple[int, Timings]:
        result = (await stub.Encode(pb.EncodeRequest(model=model, texts=[text]), timeout=CALL_TIMEOUT_S)).results[0]
        read = result.input
        return read.num_tokens, (read.timings.queue_ms, read.timings.encode_ms, read.timings.decode_ms)

    return call


def _thin(channel: grpc.aio.Channel) -> Call:
    translate: Any = channel.unary_unary(
        "/peers.Translator/Translate",
        request_serializer=lambda request: json.dumps(request).encode(),
        response_deserializer=json.loads,
    )

    async def call(text: str, length: int) -> tuple[int, Timings]:
        answer = await translate({"text": text, "new_tokens": length}, timeout=CALL_TIMEOUT_S)
        return int(answer["num_tokens"]), ()

    return call


def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> Call:
    """HTTP without a client library, which would use more CPU time than the server's HTTP."""

    async def call(text: str, num_tokens: int) -> tuple[int, Timings]:
        body = json.dumps({"text": text, "new_tokens": num_tokens}).encode()
        lines = ("POST /predict HTTP/1.1", f"Host: {host}", "Content-Type: application/json")
        writer.write("\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"^content-length: *(\d+)", head, re.MULTILINE)
        if length is None or not head.startswith("http/1.1 200"):
            raise RuntimeError(f"the server answered: {head}")
        return int(json.loads(await reader.readexactly(int(length[1])))["num_tokens"]), ()

    return call


async def _cpu(server_pid: int, begins: float, ends: float) -> tuple[float, float]:
    """CPU seconds that the server's processes and this process use in the measurement."""
    await asyncio.sleep(begins - time.perf_counter())
    processes, own = process_family(server_pid), time.process_time()
    before = sum(cpu_seconds(each) or 0.0 for each in processes)
    await asyncio.sleep(ends - time.perf_counter())
    return sum(cpu_seconds(each) or 0.0 for each in processes) - before, time.process_time() - own


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # leaves more CPU time to the server
        print(runner.run(generate(Load.model_validate_json(sys.stdin.read()))).model_dump_json())
