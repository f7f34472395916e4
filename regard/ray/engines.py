"""An engine inside an actor."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from regard.calls import mapping
from regard.calls.client import Client
from regard.calls.mapping import Batch, Outcome
from regard.calls.results import Result
from regard.embedded.client import LocalClient, local
from regard.errors import MissingExtra

TIMEOUT_S = 600.0  # of a call within the actor

Call = Callable[[Client, list[Any]], list[Result]]


def import_ray() -> Any:
    """The module `ray`, with its part `data`. Raises MissingExtra."""
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise MissingExtra("running on Ray", "ray", error.name) from None
    return ray


class Engine:
    """A model, and threads for the CPUs that Ray has given to this actor."""

    def __init__(self, call: Call, batch_size: int, bundle: str | Path | None, num_workers: int | None = None) -> None:
        """Loads the model, which takes seconds.

        Args:
            call: runs several inputs.
            batch_size: inputs of a call.
            bundle: a shipped model's name, or a bundle's folder, which every machine of the cluster must have; None
                loads all shipped models.
            num_workers: threads that run the graphs; None is one for each CPU of the actor.

        Raises:
            MissingExtra: the server, whose parts compute, is not installed on this machine.
            RegardError, FileNotFoundError: the model cannot be loaded.
        """
        given = () if bundle is None else (bundle,)
        self._client: LocalClient = local(*given, timeout=TIMEOUT_S, num_workers=num_workers or _num_cpus())
        self._call = call
        self._batch_size = batch_size

    def outcomes(self, batch: Batch) -> list[Outcome]:
        """The results of inputs, or their errors, in order; inputs of like length run together."""
        by_length = sorted(batch, key=lambda numbered: len(numbered[1]), reverse=True)
        calls = [by_length[at : at + self._batch_size] for at in range(0, len(by_length), self._batch_size)]
        found = mapping.run(calls, lambda inputs: self._call(self._client, inputs), mapping.CONCURRENCY, False, None)
        outcomes = {outcome.index: outcome for outcome in found}
        return [outcomes[index] for index, _ in batch]

    def close(self) -> None:
        """Frees the model."""
        self._client.close()

    def precision_of(self, name: str, version: str) -> str:
        """The precision of the loaded model."""
        return self._client.model(name, version).precision


def _num_cpus() -> int:
    context = import_ray().get_runtime_context()
    return max(1, int(context.get_assigned_resources().get("CPU", 1)))
