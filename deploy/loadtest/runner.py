"""Sends a scenario's calls over grpc.aio and notes how each ended.

Latencies count from the moment at which a call was due, not from the one at which it was sent. In an open loop the two
differ whenever the generator, or a connection, is held up: counted from sending, every call that had to wait for
that would look as if it had not (coordinated omission).
"""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import grpc

from deploy.loadtest.scenario import Closed, Poisson, Scenario
from deploy.loadtest.traffic import Call, calls
from regard.channel import channel_options
from regard.v1 import regard_pb2_grpc as stubs


@dataclass(frozen=True)
class Outcome:
    """How a call ended. Times are seconds since the time that counts began; negative ones are of the warm-up.

    Attributes:
        due: when it should have been sent.
        sent: when it was.
        first_token: when its first token came; None but for streams.
        code: gRPC status, such as "OK"; "WRONG" is an answer that is not what was asked for.
    """

    part: str
    due: float
    sent: float
    done: float
    first_token: float | None
    code: str
    num_tokens: int

    @property
    def latency_s(self) -> float:
        return self.done - self.due


class Runner:
    """Runs a scenario once.

    Args:
        target: as gRPC names it; several addresses are "ipv4:HOST:PORT,HOST:PORT".
    """

    def __init__(self, scenario: Scenario, target: str) -> None:
        self._scenario = scenario
        self._target = target
        self._calls = calls(scenario)
        self._outcomes: list[Outcome] = []
        self._begin = 0.0

    async def run(self) -> list[Outcome]:
        """Sends all calls that are due within warm-up and duration, and waits for the last answer."""
        async with AsyncExitStack() as stack:
            connections = [
                stubs.AttentionServiceStub(
                    await stack.enter_async_context(grpc.aio.insecure_channel(self._target, self._options()))
                )
                for _ in range(self._scenario.connections)
            ]
            self._begin = time.perf_counter() + self._scenario.warmup_s
            arrivals = self._scenario.arrivals
            if isinstance(arrivals, Poisson):
                await self._open(arrivals, itertools.cycle(connections))
            else:
                await self._closed(arrivals, itertools.cycle(connections))
        return self._outcomes

    def _options(self) -> list[tuple[str, str | int]]:
        alone: tuple[str, int] = ("grpc.use_local_subchannel_pool", 1)  # a connection of its own, as on many machines
        if self._scenario.retries:
            return [*channel_options(self._target), alone]
        return [alone, ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]

    def _now(self) -> float:
        return time.perf_counter() - self._begin

    async def _open(self, arrivals: Poisson, connections: Iterator[Any]) -> None:
        rng = random.Random(self._scenario.seed)
        due = -self._scenario.warmup_s
        async with asyncio.TaskGroup() as group:
            while (due := due + rng.expovariate(arrivals.rate_per_s)) < self._scenario.duration_s:
                await asyncio.sleep(due - self._now())  # at once where that is past
                group.create_task(self._send(next(self._calls), next(connections), due))

    async def _closed(self, arrivals: Closed, connections: Iterator[Any]) -> None:
        async def client(stub: Any) -> None:
            while (due := self._now()) < self._scenario.duration_s:
                await self._send(next(self._calls), stub, due)
                await asyncio.sleep(arrivals.think_s)

        async with asyncio.TaskGroup() as group:
            for _ in range(arrivals.clients):
                group.create_task(client(next(connections)))

    async def _send(self, call: Call, stub: Any, due: float) -> None:
        sent, first_token, num_tokens, code = self._now(), None, 0, "OK"
        method, results = getattr(stub, call.method), []
        try:
            if call.is_stream:
                async for event in method(call.request, timeout=self._scenario.timeout_s):
                    if event.WhichOneof("event") == "token" and first_token is None:
                        first_token = self._now()
                    if event.HasField("finished"):
                        results = [event.finished.result]
            else:
                results = (await method(call.request, timeout=self._scenario.timeout_s)).results
            num_tokens = sum(len(result.hypotheses[0].tokens) for result in results)
            if not _is_as_asked(call, results):
                code = "WRONG"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        self._outcomes.append(Outcome(call.part, due, sent, self._now(), first_token, code, num_tokens))


def _is_as_asked(call: Call, results: Any) -> bool:
    """Whether there is a result for each input, and a map where one was asked for, and none else."""
    asked: Any = call.request
    num_inputs = 1 if call.is_stream else len(getattr(asked, "texts", None) or asked.images)
    maps = [bool(result.hypotheses[0].attention) for result in results]
    return len(results) == num_inputs and set(maps) == {call.attention}
