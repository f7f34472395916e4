"""A member: a forked process that runs a whole server on the ports and the weights of its group."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection

import uvloop
from prometheus_client import CollectorRegistry

from regard_service.app.lifetime import LAST_LINES_S, SWITCH_INTERVAL_S, serve_until
from regard_service.app.processes.link import Link
from regard_service.app.processes.messages import Changed, MetricsWanted, ModelChange, Reply, Serving, Stuck
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError
from regard_service.app.wiring import Backend, backend_of
from regard_service.domain.models import ModelInfo
from regard_service.engine.core.observer import EngineObserver
from regard_service.errors import Draining, LoadFailed, ServiceError
from regard_service.observability import logs
from regard_service.observability.merging import collected, registry_of
from regard_service.observability.metrics import Metrics
from regard_service.repository.administration import ModelAdministration
from regard_service.repository.model_repository import ModelRepository

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inherited:
    """What a member has of its group.

    Attributes:
        settings: the member's own.
        repository: the models, loaded before the fork.
        changes: what happened to the models since the group started.
        number: the member's.
    """

    settings: Settings
    repository: ModelRepository
    changes: tuple[ModelChange, ...]
    pipe: Connection
    number: int


class _GroupModels(ModelAdministration):
    """Loads and unloads in all processes: the group asks each, this one first."""

    def __init__(self, own: ModelAdministration, change: Callable[[ModelChange], Awaitable[ModelInfo | None]]) -> None:
        self._own = own
        self._change = change

    def infos(self) -> list[ModelInfo]:
        return self._own.infos()

    async def load(self, name: str, version: str | None) -> ModelInfo:
        info = await self._change(ModelChange("load", name, version))
        if info is None:
            raise Draining("the server is shutting down")
        return info

    async def unload(self, name: str, version: str | None) -> None:
        await self._change(ModelChange("unload", name, version))

    async def wait_until_freed(self, name: str) -> None:
        await self._own.wait_until_freed(name)


class Member:
    """A server's membership: see `Membership`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._asking: dict[ModelChange, asyncio.Future[ModelInfo | None]] = {}
        self._stuck: asyncio.Task[None] | None = None

    async def metrics(self) -> CollectorRegistry:
        """The metrics of all processes; of this one if the group is gone."""
        found = await self._link.ask(MetricsWanted())
        return registry_of(found) if isinstance(found, list) else self._metrics.registry

    def join(self, models: ModelAdministration, metrics: Metrics, on_change: Callable[[], None]) -> ModelAdministration:
        """Answers the group's questions from now on."""
        self._models, self._metrics, self._on_change = models, metrics, on_change
        self._link.answer_with(self._answer)
        return _GroupModels(models, self._change_all)

    async def served(self) -> None:
        """Tells the group that this process serves."""
        await self._link.send(Serving())

    def is_stuck(self) -> None:
        """Tells the group that this process' engine is stuck."""
        self._stuck = asyncio.get_running_loop().create_task(self._link.send(Stuck()))

    async def _answer(self, about: MetricsWanted | ModelChange) -> Reply:
        if isinstance(about, MetricsWanted):
            return collected(self._metrics.registry)
        return await self._changed(about)

    async def _changed(self, change: ModelChange) -> Changed:
        """Changes this process' models. A caller of this process that asked for it gets the error itself."""
        asking = self._asking.pop(change, None)
        try:
            info = await apply(self._models, change)
        except ServiceError as error:
            if asking is not None:
                asking.set_exception(error)
            return Changed(fault=str(error))
        finally:
            self._on_change()
        if asking is not None:
            asking.set_result(info)
        return Changed(version=info.version if info is not None else None)

    async def _change_all(self, change: ModelChange) -> ModelInfo | None:
        """Asks the group for a change in every process.

        Raises:
            ServiceError: this process could not do it.
            LoadFailed: another process could not.
        """
        while change in self._asking:  # the same one, of another caller
            await asyncio.wait([self._asking[change]])
        own: asyncio.Future[ModelInfo | None] = asyncio.get_running_loop().create_future()
        self._asking[change] = own
        own.add_done_callback(_look_at)  # the caller may have left
        all_done = await self._link.ask(change)
        if not own.done():
            self._asking.pop(change, None)
            own.cancel()
            return None
        info = await own
        if isinstance(all_done, Changed) and all_done.fault:
            raise LoadFailed(change.name, (f"another process of this server: {all_done.fault}",))
        return info


def _look_at(done: "asyncio.Future[ModelInfo | None]") -> None:
    if not done.cancelled():
        done.exception()


async def apply(models: ModelAdministration, change: ModelChange) -> ModelInfo | None:
    """Changes the models of this process; returns the model that was loaded."""
    if change.kind == "load":
        return await models.load(change.name, change.version)
    await models.unload(change.name, change.version)
    return None


def run_member(inherited: Inherited, pipes: Iterable[Connection], descriptors: Iterable[int]) -> None:
    """Serves in a forked process until the group says otherwise or is gone; ends the process.

    Args:
        pipes, descriptors: of the group, which this process must not hold: a pipe tells its end by their closing.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the group gets it too, and tells its members
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for pipe in pipes:
        pipe.close()
    for descriptor in descriptors:
        os.close(descriptor)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    settings = inherited.settings
    logs.configure(settings.log_level, settings.log_format, always=logs.fields(process=inherited.number)["fields"])
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    status = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(inherited))
    except (StartError, ServiceError) as error:
        log.error("cannot start: %s", error)
        status = 1
    finally:
        logs.flush(LAST_LINES_S)
    sys.exit(status)


def _backend(inherited: Inherited, settings: Settings, observer: EngineObserver) -> Backend:
    """The models of the group, brought up to date, and an engine of this process."""
    repository = inherited.repository
    for change in inherited.changes:
        try:
            if change.kind == "load":
                repository.install(repository.read(change.name, change.version))
            else:
                repository.remove(change.name, change.version)
        except ServiceError as error:
            log.error("a change of model %s cannot be repeated: %s", change.name, error)
    repository.use_cores(settings.num_workers)
    return backend_of(repository, settings, observer)


async def _serve(inherited: Inherited) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    link = Link(inherited.pipe, stopping.set)
    link.open()
    server = Server(inherited.settings, partial(_backend, inherited), Member(link))
    await serve_until(stopping, server, inherited.settings)
