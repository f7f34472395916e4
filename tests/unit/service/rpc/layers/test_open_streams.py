"""Streams that need no token have a bound."""

import asyncio
from typing import Any

import pytest

from regard_service.errors import QuotaExceeded
from regard_service.http.context import HttpContext
from regard_service.rpc.layers.layer import Method
from regard_service.rpc.layers.open_streams import OpenStreams

WATCH = Method("server_stream", "grpc.health.v1.Health", "Watch")


async def test_streams_of_an_address_and_of_all_are_bounded() -> None:
    release = asyncio.Event()

    async def watch(request: Any, context: Any) -> None:
        await release.wait()

    behavior = OpenStreams(max_streams=5, max_of_caller=3).around(WATCH, watch)

    async def opened(peer: str) -> "asyncio.Task[Any]":
        task = asyncio.ensure_future(behavior(None, HttpContext((), peer)))
        await asyncio.sleep(0)
        return task

    first = [await opened(f"ipv4:1.1.1.1:{port}") for port in range(4)]
    others = [await opened(f"ipv4:2.2.2.2:{port}") for port in range(3)]
    with pytest.raises(QuotaExceeded, match="this address has 3 streams"):
        await first[3]
    with pytest.raises(QuotaExceeded, match="there are 5 streams"):
        await others[2]
    release.set()
    await asyncio.gather(*first[:3], *others[:2])
    await asyncio.wait_for(behavior(None, HttpContext((), "ipv4:1.1.1.1:9")), 240)
