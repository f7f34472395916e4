"""SIGTERM under load: health says so first, what was accepted is finished, the exit status is 0."""

import asyncio
import signal
from collections import Counter

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import regard
from tests.system.served import served

TEXT = "The teacher of our youngest son said that he has lost the key to the house in the forest."


async def test_sigterm_under_load_loses_no_accepted_request() -> None:
    outcomes: Counter[str] = Counter()
    with served() as server:
        async with regard.AsyncClient(server.target) as client:
            first = await client.translate(TEXT, to="de", num_beams=4)

            async def ask_until_refused() -> None:
                """One caller after the other; retries are off, so that a lost request shows."""
                while True:
                    try:
                        result = await client.translate(TEXT, to="de", num_beams=4)
                    except regard.Unavailable:
                        outcomes["refused"] += 1
                        return
                    assert result.text == first.text
                    outcomes["answered"] += 1

            callers = [asyncio.create_task(ask_until_refused()) for _ in range(24)]
            while outcomes["answered"] < 50:
                await asyncio.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(asyncio.gather(*callers), 30)
        assert await asyncio.to_thread(server.process.wait, 30) == 0
    assert outcomes["refused"] == 24
    assert outcomes["answered"] >= 50


async def test_health_tells_before_the_server_goes() -> None:
    with served() as server:
        async with grpc.aio.insecure_channel(server.target) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
            statuses = [(await watch.read()).status]
            async with regard.AsyncClient(server.target) as client:
                long = asyncio.create_task(
                    client.translate(TEXT, to="de", num_beams=8, min_new_tokens=250, max_new_tokens=250)
                )
                await asyncio.sleep(0.1)
                server.process.send_signal(signal.SIGTERM)
                statuses.append((await asyncio.wait_for(watch.read(), 10)).status)
                assert not long.done(), "the request should outlive the change of health"
                assert len((await long).best.tokens) == 250
        assert await asyncio.to_thread(server.process.wait, 30) == 0
    serving = health_pb2.HealthCheckResponse.ServingStatus.Value
    assert statuses == [serving("SERVING"), serving("NOT_SERVING")]
