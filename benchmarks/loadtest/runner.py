"""Sends a scenario's calls, over grpc.aio and over HTTP, and records how each ended.

Latencies count from the time at which a call was due, not from the time at which it was sent. In an open loop the two
differ whenever the generator or a connection is delayed; latencies from sending would hide that delay (coordinated
omission).
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import grpc

from benchmarks.loadtest.http_apis import HttpRequest, WrongAnswer, outputs_of
from benchmarks.loadtest.http_connection import HttpConnections
from benchmarks.loadtest.scenario import Closed, Poisson, Scenario
from benchmarks.loadtest.traffic import Call, calls
from regard.calls.channel import channel_options
from regard.errors.statuses import from_rpc_error
from regard.v1 import regard_pb2_grpc as stubs

OK = 200


@dataclass(frozen=True)
class Outcome:
    """How a call ended. Times are seconds from the start of the measurement; those of the warm-up are negative.

    Attributes:
        due: when the call should have been sent.
        sent: when it was sent.
        done: when it ended.
        first_token: when a stream's first token arrived; None for other calls.
        code: gRPC status, such as "OK", or the status of HTTP that is not 200; "WRONG" is an incorrect answer, or an
            answer in place of the expected error.
        num_tokens: of the outputs; 0 where an API does not tell them.
        is_expected: whether the call was answered correctly, was cancelled by its caller, or failed as expected.
        retry_after_s: the server's retry delay (RetryInfo, or the header `retry-after`); None without one.
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
        """From when the call was due until it ended."""
        return self.done - self.due


class Runner:
    """Runs a scenario once.

    Args:
        target: gRPC target; several addresses are "ipv4:HOST:PORT,HOST:PORT".
        http_address: HOST:PORT, for calls over HTTP.
    """

    def __init__(self, scenario: Scenario, target: str, http_address: str = "localhost:8080") -> None:
        self._scenario = scenario
        self._target = target
        self._http = HttpConnections(http_address)
        self._calls = calls(scenario)
        self._outcomes: list[Outcome] = []
        self._begin = 0.0

    async def run(self) -> list[Outcome]:
        """Sends all calls that are due in warm-up and measurement, and waits for the last answer."""
        async with AsyncExitStack() as stack:
            stack.callback(self._http.close)
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
        # Channels share no connection, like callers on different machines.
        unshared: tuple[str, int] = ("grpc.use_local_subchannel_pool", 1)
        if self._scenario.retries:
            return [*channel_options(self._target), unshared]
        return [unshared, ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]

    def _now(self) -> float:
        return time.perf_counter() - self._begin

    async def _open(self, arrivals: Poisson, connections: Iterator[Any]) -> None:
        rng = random.Random(self._scenario.seed)
        due = -self._scenario.warmup_s
        async with asyncio.TaskGroup() as group:
            while (due := due + rng.expovariate(arrivals.rate_per_s)) < self._scenario.duration_s:
                await asyncio.sleep(due - self._now())  # returns at once if the time has passed
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
            if call.expected != "OK" or not (answer.outputs or _is_correct(call, answer.results)):
                code = "WRONG"
        except TimeoutError:
            code = "CANCELLED"
        except grpc.aio.AioRpcError as error:
            code, retry_after_s = error.code().name, from_rpc_error(error).retry_after_s
        except _Refused as error:
            code, retry_after_s = error.code, error.retry_after_s
        except WrongAnswer:
            code = "WRONG"
        is_cancelled = code == "CANCELLED" and call.cancel_after_s is not None
        self._outcomes.append(
            Outcome(
                part=call.part,
                due=due,
                sent=sent,
                done=self._now(),
                first_token=answer.first_token,
                code=code,
                num_tokens=sum(len(h.tokens) for result in answer.results for h in _hypotheses(result)[:1]),
                is_expected=is_cancelled or code == call.expected,
                retry_after_s=retry_after_s,
            )
        )

    async def _ask(self, call: Call, stub: Any, answer: "_Answer") -> None:
        if isinstance(call.request, HttpRequest):
            answer.outputs = await self._post(call.request)
            return
        reply = getattr(stub, call.method)(call.request, timeout=self._scenario.timeout_s)
        if not call.is_stream:
            answer.results = (await reply).results
            return
        async for event in reply:
            if event.WhichOneof("event") == "token" and answer.first_token is None:
                answer.first_token = self._now()
            if event.HasField("finished"):
                answer.results = [event.finished.result]

    async def _post(self, request: HttpRequest) -> list[Any]:
        """Returns the outputs of a request over HTTP. Raises _Refused, WrongAnswer."""
        deadline = asyncio.get_running_loop().time() + self._scenario.timeout_s
        try:
            async with asyncio.timeout_at(deadline), self._http.connection() as connection:
                status, headers, body = await connection.post(request)
        except TimeoutError as error:
            raise _Refused("DEADLINE_EXCEEDED") from error
        except (OSError, EOFError) as error:
            raise _Refused("UNAVAILABLE") from error
        if status != OK:
            delay = headers.get("retry-after", "")
            raise _Refused(str(status), float(delay) if delay.isdigit() else None)
        return outputs_of(request, body)


class _Refused(Exception):
    """A call over HTTP ended without its answer."""

    def __init__(self, code: str, retry_after_s: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after_s = retry_after_s


@dataclass
class _Answer:
    """The part of an answer that has arrived."""

    results: Sequence[Any] = ()
    outputs: Sequence[Any] = ()
    first_token: float | None = None


_MADE: dict[str, Callable[[Any], bool]] = {
    "Encode": lambda result: bool(result.vector),
    "Classify": lambda result: bool(result.labels or result.tokens),
    "FillMask": lambda result: bool(result.masks),
    "Detect": lambda result: True,
    "Answer": lambda result: bool(result.labels),
}
"""By method without a decoder: whether a result holds what was due."""


def _is_correct(call: Call, results: Any) -> bool:
    """Whether each input has a result: a vector, labels, filled masks, or an output with a map exactly if the call
    requested one. A picture may have no objects.
    """
    request: Any = call.request
    num_inputs = 1 if call.is_stream else len(getattr(request, "texts", None) or request.images)
    if len(results) != num_inputs:
        return False
    if made := _MADE.get(call.method):
        return all(map(made, results))
    return {bool(result.hypotheses[0].attention) for result in results} == {call.has_alignment}


def _hypotheses(result: Any) -> Sequence[Any]:
    """Returns the hypotheses of a result; none of a model without a decoder."""
    return getattr(result, "hypotheses", ())
