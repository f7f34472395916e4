"""Sends a scenario's calls over grpc.aio and notes how each ended.

Latencies count from the moment at which a call was due, not from the one at which it was sent. In an open loop the two
differ whenever the generator, or a connection, is held up: counted from sending, every call that had to wait for
that would look as if it had not (coordinated omission).
"""

import asyncio
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import grpc

from deploy.loadtest.scenario import Closed, Poisson, Scenario
from deploy.loadtest.traffic import Call, calls
from regard.calls.channel import channel_options
from regard.errors.statuses import from_rpc_error
from regard.v1 import regard_pb2_grpc as stubs


@dataclass(frozen=True)
class Outcome:
    """How a call ended. Times are seconds since the time that counts began; negative ones are of the warm-up.

    Attributes:
        due: when it should have been sent.
        sent: when it was.
        first_token: when its first token came; None but for streams.
        code: gRPC status, such as "OK"; "WRONG" is an answer that is not what was asked for, or one to what should
            have been refused.
        is_expected: whether it ended as it should: answered rightly, given up by its caller, or refused where that is
            due.
        retry_after_s: when the server asked the caller to come back; None where it did not.
    """

    part: str
    due: float
    sent: float
    done: float
    first_token: float | None
    code: str
    num_tokens: int
    is_expected: bool
    retry_after_s: float | None = None

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
        sent, code, retry_after_s, answer = self._now(), "OK", None, _Answer()
        try:
            async with asyncio.timeout(call.cancel_after_s):
                await self._ask(call, stub, answer)
            if call.expected != "OK" or not _is_as_asked(call, answer.results):
                code = "WRONG"
        except TimeoutError:
            code = "CANCELLED"
        except grpc.aio.AioRpcError as error:
            code, retry_after_s = error.code().name, from_rpc_error(error).retry_after_s
        gave_up = code == "CANCELLED" and call.cancel_after_s is not None
        self._outcomes.append(
            Outcome(
                part=call.part,
                due=due,
                sent=sent,
                done=self._now(),
                first_token=answer.first_token,
                code=code,
                num_tokens=sum(len(result.hypotheses[0].tokens) for result in answer.results),
                is_expected=gave_up or code == call.expected,
                retry_after_s=retry_after_s,
            )
        )

    async def _ask(self, call: Call, stub: Any, answer: "_Answer") -> None:
        reply = getattr(stub, call.method)(call.request, timeout=self._scenario.timeout_s)
        if not call.is_stream:
            answer.results = (await reply).results
            return
        async for event in reply:
            if event.WhichOneof("event") == "token" and answer.first_token is None:
                answer.first_token = self._now()
            if event.HasField("finished"):
                answer.results = [event.finished.result]


@dataclass
class _Answer:
    """What has come of an answer so far."""

    results: Sequence[Any] = ()
    first_token: float | None = None


def _is_as_asked(call: Call, results: Any) -> bool:
    """Whether there is a result for each input, and a map where one was asked for, and none else."""
    asked: Any = call.request
    num_inputs = 1 if call.is_stream else len(getattr(asked, "texts", None) or asked.images)
    maps = [bool(result.hypotheses[0].attention) for result in results]
    return len(results) == num_inputs and set(maps) == {call.attention}
