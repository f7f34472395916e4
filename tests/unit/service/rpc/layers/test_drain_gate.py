"""The gate that closes when the server drains."""

import asyncio

import pytest

from regard_service.errors import ServiceError
from regard_service.rpc.layers.drain_gate import DrainGate
from regard_service.rpc.layers.layer import Method
from tests.waiting import PATIENCE_S

API = "regard.v1.AttentionService"


async def test_a_gate_counts_the_calls_of_its_services() -> None:
    gate = DrainGate([API])
    leave = asyncio.Event()

    async def answer(request: object, context: object) -> None:
        await leave.wait()

    async def call(service: str) -> None:
        await gate.around(Method("unary", service, "Any"), answer)(None, None)  # type: ignore[arg-type]

    inside = asyncio.create_task(call(API))
    watch = asyncio.create_task(call("grpc.health.v1.Health"))
    await asyncio.sleep(0)
    gate.close()
    with pytest.raises(ServiceError, match="shutting down"):
        await call(API)
    empty = asyncio.create_task(gate.wait_until_empty())
    await asyncio.sleep(0.01)
    assert not empty.done()
    inside.cancel()  # a cancelled call is counted down too
    await asyncio.wait_for(empty, PATIENCE_S)
    assert not watch.done()
    leave.set()
    await watch
    await asyncio.wait_for(gate.wait_until_quiet(0.01), PATIENCE_S)
