"""Bounds the streams that need no token: health watches and reflection."""

from collections import Counter
from typing import Any

from regard_service.auth.address import caller_of_peer
from regard_service.errors import QuotaExceeded
from regard_service.rpc.layers.layer import Behavior, Context, Layer, Method
from regard_service.rpc.layers.request_log import PROBE_SERVICES

MAX_STREAMS = 1024
MAX_STREAMS_OF_CALLER = 128
RETRY_S = 5.0


class OpenStreams(Layer):
    """Refuses streams of health and reflection beyond a number, of an address and of all."""

    def __init__(self, max_streams: int = MAX_STREAMS, max_of_caller: int = MAX_STREAMS_OF_CALLER) -> None:
        self._max_streams = max_streams
        self._max_of_caller = max_of_caller
        self._num_of: Counter[str] = Counter()
        self._num_streams = 0

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Counts each stream while it is open."""
        if method.kind == "unary" or not method.service.startswith(PROBE_SERVICES):
            return behavior

        async def counted(request: Any, context: Context) -> Any:
            caller = caller_of_peer(context.peer())
            self._enter(caller)
            try:
                return await behavior(request, context)
            finally:
                self._num_streams -= 1
                self._num_of[caller] -= 1
                if not self._num_of[caller]:
                    del self._num_of[caller]

        return counted

    def _enter(self, caller: str) -> None:
        if self._num_of[caller] >= self._max_of_caller:
            number, limit = self._num_of[caller], self._max_of_caller
            raise QuotaExceeded(
                f"this address has {number} streams of health and reflection; the limit is {limit}", RETRY_S
            )
        if self._num_streams >= self._max_streams:
            raise QuotaExceeded(
                f"there are {self._num_streams} streams of health and reflection; the limit is {self._max_streams}",
                RETRY_S,
            )
        self._num_streams += 1
        self._num_of[caller] += 1
