"""Health: readiness of services and models, liveness of the process."""

import asyncio

from grpc_health.v1 import health_pb2

from regard_service.app.health import LIVE, Health
from regard_service.domain.models import ModelInfo
from tests.waiting import PATIENCE_S, until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def statuses(health: Health) -> dict[str, int]:
    answer = await health.List(health_pb2.HealthListRequest(), None)
    return {name: status.status for name, status in answer.statuses.items()}


async def test_a_failed_model_ends_readiness_but_not_liveness() -> None:
    health = Health(["regard.v1.AttentionService"])
    assert await statuses(health) == {"": NOT_SERVING, "regard.v1.AttentionService": NOT_SERVING, LIVE: SERVING}
    health.update([ModelInfo("everyday", "failed", is_default=True)])
    assert (await statuses(health))[""] == NOT_SERVING
    assert (await statuses(health))[LIVE] == SERVING


async def test_a_draining_server_is_live() -> None:
    health = Health(["regard.v1.AttentionService"])
    health.update([ModelInfo("everyday", "ready", is_default=True)])
    health.close()
    assert await statuses(health) == {
        "": NOT_SERVING,
        "regard.v1.AttentionService": NOT_SERVING,
        "model/everyday": NOT_SERVING,
        LIVE: SERVING,
    }


async def test_every_watch_ends_with_the_drain() -> None:
    health = Health([])
    health.update([ModelInfo("everyday", "ready", is_default=True)])
    seen: list[int] = []

    async def watch() -> None:
        async for answer in health.Watch(health_pb2.HealthCheckRequest(service=""), None):
            seen.append(answer.status)

    watching = asyncio.create_task(watch())
    await until(lambda: seen)
    health.close()
    await asyncio.wait_for(watching, PATIENCE_S)
    assert seen == [SERVING, NOT_SERVING]
