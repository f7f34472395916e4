"""Engines of a cluster as what runs the rows of a corpus."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from regard.calls.client import Client
from regard.calls.mapping import BATCH_SIZES, Batch, Outcome
from regard.calls.results import Result
from regard.errors import RegardError
from regard.errors.as_json import error_object, read_error
from regard.names import Task
from regard.ray.engines import Engine, import_ray
from regard.saved.rows import message_of

BATCH_ROWS = 256
CALLS_PER_ACTOR = 2  # so that an engine has the next rows before the last ones end
MAX_RETRIES = 4  # of rows whose actor dies: more would be those rows' own doing


class ActorTask(Protocol):
    """The calls of a command; can be sent to an actor."""

    def call(self, client: Client, inputs: list[Any]) -> list[Result]:
        """The results of the inputs, in one call."""


@dataclass(frozen=True)
class Cluster:
    """Where to run.

    Attributes:
        address: of Ray's head, "auto" for the one that this machine belongs to, "local" for one inside this process.
        num_actors: each holds the model in its own memory.
        cpus_per_actor: threads of an engine.
    """

    address: str
    num_actors: int = 1
    cpus_per_actor: int = 1

    @property
    def concurrency(self) -> int:
        """Batches in flight."""
        return self.num_actors * CALLS_PER_ACTOR


class _Actor:
    """Results and errors as an actor sends them: errors with several fields do not survive Ray's pickling."""

    def __init__(self, task: ActorTask, kind: Task, bundle: str | None) -> None:
        self._engine = Engine(task.call, BATCH_SIZES[kind], bundle)

    def load(self) -> None:
        """Returns when the model is loaded."""

    def run(self, batch: Batch) -> list[tuple[bytes, dict[str, object] | None]]:
        return [_packed(outcome) for outcome in self._engine.outcomes(batch)]

    def precision_of(self, name: str, version: str) -> str:
        return self._engine.precision_of(name, version)


class RayRunner:
    """Actors of a cluster; an actor that dies is started again, and its rows run again."""

    def __init__(self, cluster: Cluster, task: ActorTask, kind: Task, bundle: str | None) -> None:
        """Starts the actors; `bundle` is as for `Engine`.

        Raises:
            MissingExtra: Ray is not installed.
            ConnectionError: there is no cluster at that address.
            RegardError: an actor cannot load the model.
        """
        self._ray = import_ray()
        self._ray.init(address=cluster.address, log_to_driver=False, ignore_reinit_error=True)
        actor = self._ray.remote(_Actor).options(
            num_cpus=cluster.cpus_per_actor,
            max_restarts=-1,
            max_task_retries=MAX_RETRIES,
            max_concurrency=CALLS_PER_ACTOR + 1,
        )
        self._actors = [actor.remote(task, kind, bundle) for _ in range(cluster.num_actors)]
        with self._told():
            self._ray.get([each.load.remote() for each in self._actors])
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for each in self._actors * CALLS_PER_ACTOR:
            self._free.put(each)

    def outcomes(self, batch: Batch) -> list[Outcome]:
        """The results of rows, or their errors, in order, by the actor that is free first.

        Raises:
            RegardError: the actor has died each time that it ran the rows.
        """
        actor = self._free.get()
        try:
            with self._told(f"rows {batch[0][0]} to {batch[-1][0]}: "):
                found = self._ray.get(actor.run.remote(batch))
        finally:
            self._free.put(actor)
        return [_outcome(index, value, *each) for (index, value), each in zip(batch, found, strict=True)]

    def precision_of(self, name: str, version: str) -> str:
        """The precision of a model that has answered."""
        return str(self._ray.get(self._actors[0].precision_of.remote(name, version)))

    @contextmanager
    def _told(self, what: str = "") -> Iterator[None]:
        """Turns an error of Ray into one of ours, in one line: Ray's has the traceback of the actor."""
        try:
            yield
        except self._ray.exceptions.RayError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise RegardError(f"{what}an actor failed: {lines[-1] if lines else type(error).__name__}") from error

    def stop(self) -> None:
        """Ends the actors, with the rows that they run."""
        for actor in self._actors:
            self._ray.kill(actor)


def _packed(outcome: Outcome) -> tuple[bytes, dict[str, object] | None]:
    if outcome.result is None:
        return b"", error_object(outcome.error or ValueError("no result"))
    return outcome.result.message.SerializeToString(), None


def _outcome(index: int, value: Any, message: bytes, error: dict[str, Any] | None) -> Outcome:
    if error is not None:
        return Outcome(index, value, error=read_error(error))
    return Outcome(index, value, Result.from_message(message_of(message)))
