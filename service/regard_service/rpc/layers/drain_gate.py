"""Counts the calls in flight, and refuses new ones while the server drains."""

import asyncio
import time
from collections.abc import Collection
from typing import Any

from regard_service.errors import Draining
from regard_service.rpc.layers.layer import Behavior, Context, Layer, Method


class DrainGate(Layer):
    """Counts the API's calls in flight, and refuses new ones once it is closed.

    gRPC's own stop cancels calls that have reached the process but not yet Python, which their clients cannot tell from
    a fault. Closing the gate first ends them as UNAVAILABLE, which is safe to retry.

    Args:
        services: the services whose calls count. Health checks, for one, are always admitted.
    """

    def __init__(self, services: Collection[str]) -> None:
        self._services = frozenset(services)
        self._num_in_flight = 0
        self._emptied = asyncio.Event()
        self._last_change = 0.0
        self._is_closed = False

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Counts each call of the services, or refuses it once the gate is closed."""
        if method.service not in self._services:
            return behavior

        async def counted(request: Any, context: Context) -> Any:
            self._last_change = time.monotonic()
            if self._is_closed:
                raise Draining("the server is shutting down")
            self._num_in_flight += 1
            try:
                return await behavior(request, context)
            finally:
                self._num_in_flight -= 1
                self._last_change = time.monotonic()
                if not self._num_in_flight:
                    self._emptied.set()

        return counted

    def close(self) -> None:
        """Refuses new calls from now on."""
        self._is_closed = True

    async def wait_until_empty(self) -> None:
        """Returns once no call is in flight."""
        while self._num_in_flight:
            self._emptied.clear()
            await self._emptied.wait()

    async def wait_until_quiet(self, seconds: float) -> None:
        """Returns once no call has begun or ended for `seconds`."""
        while (left := self._last_change + seconds - time.monotonic()) > 0:  # noqa: ASYNC110  only time to wait for
            await asyncio.sleep(left)
