"""gRPC health: for the server, each service, each model as "model/NAME", and "live" for the process."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from regard_service.domain.models import ModelInfo, unready_reasons

MODEL_PREFIX = "model/"
LIVE = "live"  # for liveness probes, which restart a process; the other names say whether to send it calls


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Serves health. Unlike grpcio's own servicer, it ends its watches when the server drains.

    An open watch would delay a graceful stop until its timeout.
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
        """Whether the engine works."""
        return self._is_live

    def set_live(self, is_live: bool) -> None:
        """Sets whether the engine works; if not, the process should be restarted."""
        self._is_live = is_live
        serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
        self._statuses[LIVE] = serving if is_live else not_serving
        self._announce()

    def update(self, models: list[ModelInfo]) -> None:
        """Applies the models' states. The services serve if the default models do."""
        if self._is_closed:
            return
        serves = dict.fromkeys(self._services, not unready_reasons(models))
        ready = {model.name for model in models if model.state == "ready"}  # a name is ready if one of its versions is
        serves |= {MODEL_PREFIX + model.name: model.name in ready for model in models}
        serves[LIVE] = self._is_live
        self._statuses = {
            name: health_pb2.HealthCheckResponse.SERVING if ok else health_pb2.HealthCheckResponse.NOT_SERVING
            for name, ok in serves.items()
        }
        self._announce()

    def close(self) -> None:
        """Sets every status but "live" to NOT_SERVING, for good, and ends every watch.

        The process stays live: a server must not be restarted for draining.
        """
        self._is_closed = True
        for name in self._statuses.keys() - {LIVE}:
            self._statuses[name] = health_pb2.HealthCheckResponse.NOT_SERVING
        self._announce()

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Returns the status of a service, a model or the process."""
        status = self._statuses.get(request.service)
        if status is None:
            known = ", ".join(repr(name) for name in self._statuses)
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no health of that name; there are {known}")
        return health_pb2.HealthCheckResponse(status=status)

    async def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Returns every status."""
        return health_pb2.HealthListResponse(
            statuses={name: health_pb2.HealthCheckResponse(status=code) for name, code in self._statuses.items()}
        )

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Streams a status and its changes until the server drains."""
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
