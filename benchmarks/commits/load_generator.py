"""A load generator in its own process: `open` connects clients, `run` sends a number of requests.

Every run sends the same requests in the same order, so that two commits do exactly the same work.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

import grpc
import uvloop

from benchmarks.peers.inside import lines
from benchmarks.peers.served_load import CHANNEL_OPTIONS, Call, regard_call


class Generator:
    """Clients that each send their next request as soon as their last is answered (a closed loop)."""

    def __init__(self) -> None:
        self._loop = asyncio.Runner(loop_factory=uvloop.new_event_loop)  # leaves more CPU time to the server
        self._connections = AsyncExitStack()
        self._calls: list[Call] = []
        self._requests: Sequence[tuple[str, int]] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._connections.aclose())
        self._loop.close()

    def open(
        self, target: str, model: str, language: str, requests: Sequence[tuple[str, int]], num_clients: int
    ) -> None:
        """Connects the clients.

        Args:
            requests: pairs of a text and the length of its output; at 0 the model itself ends the output.
        """
        self._requests = requests
        self._calls = self._loop.run(self._connected(target, model, language, num_clients))

    async def _connected(self, target: str, model: str, language: str, num_clients: int) -> list[Call]:
        channels = [
            await self._connections.enter_async_context(grpc.aio.insecure_channel(target, CHANNEL_OPTIONS))
            for _ in range(num_clients)
        ]
        return [regard_call(channel, model, language) for channel in channels]

    def run(self, num_requests: int) -> dict[str, Any]:
        """Sends `num_requests` requests, repeating the list if it is shorter, and waits for all answers."""
        requests = itertools.islice(itertools.cycle(self._requests), num_requests)
        started = time.perf_counter()
        num_tokens = self._loop.run(self._all_answered(requests))
        return {"seconds": time.perf_counter() - started, "num_calls": num_requests, "num_tokens": num_tokens}

    async def _all_answered(self, requests: Iterator[tuple[str, int]]) -> int:
        async with asyncio.TaskGroup() as group:
            clients = [group.create_task(_client(call, requests)) for call in self._calls]
        return sum(client.result() for client in clients)


async def _client(call: Call, requests: Iterator[tuple[str, int]]) -> int:
    """Sends requests from the iterator that all clients share; returns the number of output tokens."""
    num_tokens = 0
    for text, length in requests:
        count, _ = await call(text, length)
        if length and count != length:
            raise RuntimeError(f"an answer has {count} tokens instead of {length}")
        num_tokens += count
    return num_tokens


if __name__ == "__main__":
    with Generator() as generator:
        lines.serve({"open": generator.open, "run": generator.run})
