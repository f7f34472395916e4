"""Presents an HTTP request as a gRPC call: the same layers and servicers answer it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import grpc
from grpc import StatusCode

Metadata = Sequence[tuple[str, str | bytes]]

MAX_UNSENT_MESSAGES = 64


class HttpContext(grpc.aio.ServicerContext[Any, Any]):
    """A call's context: its metadata, and its status and messages.

    Args:
        headers: the headers of the HTTP request, names in lower case; they are the call's metadata.
        peer: the client's address as gRPC writes it: "ipv4:127.0.0.1:50000".
        timeout_s: the call's time; None: the caller sets no deadline.
    """

    def __init__(self, headers: Metadata, peer: str, timeout_s: float | None = None) -> None:
        self._headers = tuple(headers)
        self._peer = peer
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._trailers: Metadata = ()
        self._code: StatusCode | None = None
        self._details = ""
        # The messages of a stream that are not sent yet. The bound makes a slow reader delay its own call only.
        self.written: asyncio.Queue[Any] = asyncio.Queue(maxsize=MAX_UNSENT_MESSAGES)

    def with_metadata(self, name: str, value: str | None) -> "HttpContext":
        """Returns the context of the same request with another value of a header, or, for None, without it."""
        headers = [(key, each) for key, each in self._headers if key != name]
        changed = HttpContext(headers if value is None else [*headers, (name, value)], self._peer)
        changed._deadline = self._deadline
        return changed

    def invocation_metadata(self) -> Any:
        """Returns the headers."""
        return self._headers

    def peer(self) -> str:
        """Returns the client's address as gRPC writes it."""
        return self._peer

    def peer_identities(self) -> None:
        """Returns None: tokens identify callers."""

    def peer_identity_key(self) -> None:
        """Returns None: tokens identify callers."""

    def auth_context(self) -> Any:
        """Returns nothing: tokens identify callers."""
        return {}

    def time_remaining(self) -> Any:
        """Returns the seconds until the deadline; None without one."""
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Sets the trailers, of which the response sends the request id."""
        self._trailers = tuple(trailing_metadata)

    def trailing_metadata(self) -> Any:
        """Returns the trailers."""
        return self._trailers

    def set_code(self, code: StatusCode) -> None:
        """Sets the status code."""
        self._code = code

    def code(self) -> Any:
        """Returns the status code; None until it is set."""
        return self._code

    def set_details(self, details: str) -> None:
        """Sets the status message."""
        self._details = details

    def details(self) -> Any:
        """Returns the status message."""
        return self._details

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> Any:
        """Ends the call with a status. Raises AbortError."""
        self._code, self._details, self._trailers = code, details, tuple(trailing_metadata)
        raise grpc.aio.AbortError(details)

    async def abort_with_status(self, status: Any) -> Any:
        """Ends the call with a status. Raises AbortError."""
        await self.abort(status.code, status.details, status.trailing_metadata or ())

    async def write(self, message: Any) -> None:
        """Queues a message of a stream; waits while the queue is full."""
        await self.written.put(message)

    async def read(self) -> Any:
        """Raises NotImplementedError: no method of the API reads a stream."""
        raise NotImplementedError("the API has no method that reads a stream")

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Does nothing: HTTP sends its headers with the response."""

    def set_compression(self, compression: Any) -> None:
        """Does nothing: proxies compress responses."""

    def disable_next_message_compression(self) -> None:
        """Does nothing: proxies compress responses."""
