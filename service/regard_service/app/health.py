"""gRPC health: for the server, each service, each model as "model/NAME", and "live" for the process."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]

from regard_service.domain import ModelInfo

MODEL_PREFIX = "model/"
LIVE = "live"  # what a liveness probe asks: not whether to send calls, but whether to restart


def unready_reasons(models: Iterable[ModelInfo]) -> list[str]:
    """Why requests that name no model cannot be served; empty if they can."""
    defaults = [model for model in models if model.is_default]
    if not defaults:
        return ["there is no default model"]
    return [f"model {model.name} is {model.state}" for model in defaults if model.state != "ready"]


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Tells who serves. Unlike grpcio's own servicer it ends its watches when the server drains.

    A watch that stayed open would hold up a graceful stop until its time is over.
    """

    def __init__(self, services: Iterable[str]) -> None:
        self._services = ("", *services)
        self._statuses: dict[str, int] = dict.fromkeys(self._services, health_pb2.HealthCheckResponse.NOT_SERVING)
        self._statuses[LIVE] = health_pb2.HealthCheckResponse.SERVING
        self._changed = asyncio.Event()
        self._is_closed = False
        self._is_live = True

    @property
    def is_live(self) -> bool:
        return self._is_live

    def set_live(self, is_live: bool) -> None:
        """Whether the process does its work, or should be restarted."""
        self._is_live = is_live
        serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        self._statuses[LIVE] = serving if is_live else not_serving
        self._announce()

    def update(self, models: list[ModelInfo]) -> None:
        """Takes over the models' states. The services serve when the default models do."""
        if self._is_closed:
            return
        serves = dict.fromkeys(self._services, not unready_reasons(models))
        ready = {model.name for model in models if model.state == "ready"}  # one of a name's versions may be
        serves |= {MODEL_PREFIX + model.name: model.name in ready for model in models}
        serves[LIVE] = self._is_live
        self._statuses = {
            name: health_pb2.HealthCheckResponse.SERVING if ok else health_pb2.HealthCheckResponse.NOT_SERVING
            for name, ok in serves.items()
        }
        self._announce()

    def close(self) -> None:
        """Says NOT_SERVING of everything that takes calls, for good, and ends every watch.

        The process stays live: a server that drains must not be restarted for it.
        """
        self._is_closed = True
        for name in self._statuses.keys() - {LIVE}:
            self._statuses[name] = health_pb2.HealthCheckResponse.NOT_SERVING
        self._announce()

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        status = self._statuses.get(request.service)
        if status is None:
            known = ", ".join(repr(name) for name in self._statuses)
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no health of that name; there are {known}")
        return health_pb2.HealthCheckResponse(status=status)

    async def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        return health_pb2.HealthListResponse(
            statuses={name: health_pb2.HealthCheckResponse(status=code) for name, code in self._statuses.items()}
        )

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        last = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
            if status != last:
                yield health_pb2.HealthCheckResponse(status=status)
                last = status
            if self._is_closed:
                return
            await changed.wait()
