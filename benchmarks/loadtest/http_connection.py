"""Connections of HTTP/1.1 that stay open, each with one request at a time: a library's own work would be measured."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

from benchmarks.loadtest.http_apis import HttpRequest


class HttpAnswer(NamedTuple):
    """An answer. Attributes: headers: by name in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpConnection:
    """An open connection."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: str) -> Self:
        """Connects. Args: address: HOST:PORT."""
        host, _, port = address.rpartition(":")
        return cls(address, *await asyncio.open_connection(host.strip("[]"), int(port)))

    @property
    def is_ended(self) -> bool:
        """Whether the server has closed it."""
        return self._reader.at_eof()

    async def post(self, request: HttpRequest) -> HttpAnswer:
        """Sends a request and reads its answer. A connection whose request was given up has no further use.

        Raises:
            OSError: the connection broke.
            EOFError: it ended before the answer did.
        """
        head = f"POST {request.path} HTTP/1.1\r\nhost: {self._host}\r\ncontent-type: application/json\r\n"
        self._writer.write(f"{head}content-length: {len(request.body)}\r\n\r\n".encode() + request.body)
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return HttpAnswer(int(first.split()[1]), headers, body)

    def close(self) -> None:
        """Disconnects."""
        self._writer.close()


class HttpConnections:
    """As many connections as requests are in flight at a time; each is used again."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._free: list[HttpConnection] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[HttpConnection]:
        """Yields a free connection, or a new one. Closes it if its request fails or is given up."""
        while self._free and self._free[-1].is_ended:
            self._free.pop().close()
        connection = self._free.pop() if self._free else await HttpConnection.open(self._address)
        is_done = False
        try:
            yield connection
            is_done = True
        finally:
            if is_done:
                self._free.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Disconnects all that are free."""
        while self._free:
            self._free.pop().close()
