"""Reads the bodies of requests, and works on large ones in a thread.

One at a time: parsing a body, or writing an answer, takes several times its size.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request

from regard_service.auth.caller import current_caller
from regard_service.calls.inbound import Inbound
from regard_service.calls.present import PresentCallers
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.errors import BodyTooLarge
from regard_service.http.body_bounds import counting

MAX_BYTES_ON_EVENT_LOOP = 16 * 1024
MAX_WAITING_BODIES = 256

T = TypeVar("T")


class Bodies:
    """Reads and parses bodies, and writes answers.

    Args:
        max_bytes: the limit of a body.
        max_inputs: the most inputs of a call.
        present: the callers of the process.
    """

    def __init__(self, max_bytes: int, max_inputs: int, present: PresentCallers) -> None:
        self.max_bytes = max_bytes
        self._max_inputs = max_inputs
        self._inbound = Inbound(present)
        self._thread = BoundedThreadPool(1, MAX_WAITING_BODIES, present)

    async def read(self, request: Request, grown: Callable[[int], None] | None = None) -> bytes:
        """Returns the body of a request.

        Args:
            grown: called with the size of each chunk; may raise.

        Raises:
            BodyTooLarge: it is longer than the limit, or says so.
            ClientDisconnect: it is not whole.
        """
        stated = request.headers.get("content-length", "")
        if stated.isascii() and stated.isdigit() and int(stated[:20]) > self.max_bytes:
            raise BodyTooLarge(f"the body has {stated[:20]} bytes; the limit is {self.max_bytes}")
        chunks, size, caller = [], 0, current_caller()
        await self._inbound.turn(caller)
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > self.max_bytes:
                raise BodyTooLarge(f"the body has more than {self.max_bytes} bytes")
            if grown is not None:
                grown(len(chunk))
        self._inbound.charge(caller, size)
        return b"".join(chunks)

    async def count(self, body: bytes) -> None:
        """Counts the values of a JSON body. Raises InvalidInput: there are more than any call has."""
        for _ in counting(body, self._max_inputs):
            await asyncio.sleep(0)

    async def parse(self, body: bytes, parse: Callable[[], T]) -> T:
        """Runs what parses a body: in the thread if it is large."""
        if len(body) <= MAX_BYTES_ON_EVENT_LOOP:
            return parse()
        (parsed,) = await self._thread.run([parse])
        return parsed

    async def write_apart(self, write: Callable[[], T]) -> T:
        """Runs what writes a large answer in the thread."""
        (written,) = await self._thread.finish([write])
        return written
