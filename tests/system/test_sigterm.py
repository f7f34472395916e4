"""SIGTERM under load: health says so first, what was accepted is finished, the exit status is 0."""

import asyncio
import signal
from collections import Counter

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import regard
from tests.system.served import served
from tests.waiting import PATIENCE_S, until, wait_until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
ANSWERED = "answered"
DRAIN = f"--drain-timeout-s={PATIENCE_S}"
TEXT = "The teacher of our youngest son said that he has lost the key to the house in the forest."


async def test_sigterm_under_load_loses_no_accepted_request() -> None:
    outcomes: Counter[str] = Counter()
    with served(DRAIN) as server:
        async with regard.AsyncClient(server.target) as client:
            first = await client.translate(TEXT, to="de", num_beams=4)

            async def ask_until_refused() -> None:
                """Repeats a call; a request that is lost or answered wrongly fails the test."""
                while True:
                    try:
                        result = await client.translate(TEXT, to="de", num_beams=4)
                    except regard.Unavailable:
                        outcomes["refused"] += 1
                        return
                    assert result.text == first.text
                    outcomes["answered"] += 1

            callers = [asyncio.create_task(ask_until_refused()) for _ in range(24)]
            await until(lambda: outcomes["answered"] >= 50)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(asyncio.gather(*callers), PATIENCE_S)
        assert await asyncio.to_thread(server.process.wait, PATIENCE_S) == 0
    assert outcomes["refused"] == 24
    assert outcomes["answered"] >= 50


async def test_health_tells_before_the_server_goes() -> None:
    with served(DRAIN) as server:
        async with grpc.aio.insecure_channel(server.target) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
            order = [(await watch.read()).status]
            async with regard.AsyncClient(server.target) as client:
                texts = [TEXT] * 4  # 4 texts of 8 beams: seconds of work, so that the order is no matter of luck
                long = asyncio.create_task(
                    client.translate(texts, to="de", num_beams=8, min_new_tokens=250, max_new_tokens=250)
                )
                long.add_done_callback(lambda _: order.append(ANSWERED))
                await asyncio.to_thread(wait_until, lambda: server.metric("regard_live_slots") > 0)
                server.process.send_signal(signal.SIGTERM)
                order.append((await asyncio.wait_for(watch.read(), PATIENCE_S)).status)
                assert {len(result.best.tokens) for result in await long} == {250}
        assert await asyncio.to_thread(server.process.wait, PATIENCE_S) == 0
    assert order == [SERVING, NOT_SERVING, ANSWERED]
