"""Classes for `ray.data.Dataset.map_batches`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.calls.mapping import BATCH_SIZES, Outcome
from regard.errors import InvalidArgument
from regard.errors.as_json import error_object
from regard.names import Task
from regard.ray.engines import Call, Engine, import_ray
from regard.saved.rows import alignment_of

BATCH_ROWS = 1024  # of a task: an engine is never half empty for long, and a lost actor loses little

Columns = dict[str, NDArray[Any]]


class _MapBatches:
    """Adds columns to a batch: `output`, `score`, `model`, `error`; with an alignment also `alignment`, `pharaoh`.

    `error` is None, or the JSON object of what is wrong with the row, whose `output` is None then. `alignment` is a
    list [target, source] of float32.
    """

    def __init__(self, task: Task, call: Call, model: str | Path | None, column: str, has_alignment: bool) -> None:
        self._engine = Engine(call, BATCH_SIZES[task], model)
        self._column = column
        self._has_alignment = has_alignment

    def __call__(self, batch: Mapping[str, NDArray[Any]]) -> Columns:
        """Runs a batch; the rows keep their order and their columns."""
        if self._column not in batch:
            raise ValueError(f"the dataset has no column {self._column!r}; it has {', '.join(map(repr, batch))}")
        numbered = list(enumerate(batch[self._column].tolist()))
        good = [(index, value) for index, value in numbered if isinstance(value, str | bytes)]
        found = {outcome.index: outcome for outcome in self._engine.outcomes(good)}
        outcomes = [found.get(index) or _no_input(index, value, self._column) for index, value in numbered]
        return {**batch, **self._columns(outcomes)}

    def _columns(self, outcomes: list[Outcome]) -> Columns:
        results = [outcome.result for outcome in outcomes]
        columns: dict[str, list[Any]] = {
            "output": [result and result.text for result in results],
            "score": [result.best.score if result else None for result in results],
            "model": [result and f"{result.model}@{result.model_version}" for result in results],
            "error": [outcome.error and json.dumps(error_object(outcome.error)) for outcome in outcomes],
        }
        if self._has_alignment:
            maps = [alignment_of(outcome) for outcome in outcomes]
            columns["alignment"] = [each and each.values.tolist() for each in maps]
            columns["pharaoh"] = [result and result.best.pharaoh for result in results]
        return {name: _objects(values) for name, values in columns.items()}


class Translate(_MapBatches):
    """Translates a column of texts; the arguments beside `model` and `column` are those of `Client.translate`."""

    def __init__(
        self,
        *,
        to: str = "",
        model: str | Path | None = None,
        column: str = "text",
        attention: Any = None,
        **options: Any,
    ) -> None:
        chosen = {"attention": attention, "priority": "bulk"} | options
        super().__init__(
            "translation", lambda client, texts: client.translate(texts, to, **chosen), model, column, bool(attention)
        )


class Summarize(_MapBatches):
    """Summarizes a column of texts; the arguments beside `model` and `column` are those of `Client.summarize`."""

    def __init__(
        self,
        *,
        style: str | None = None,
        model: str | Path | None = None,
        column: str = "text",
        attention: Any = None,
        **options: Any,
    ) -> None:
        chosen = {"attention": attention, "priority": "bulk"} | options
        super().__init__(
            "summarization",
            lambda client, texts: client.summarize(texts, style, **chosen),
            model,
            column,
            bool(attention),
        )


class Caption(_MapBatches):
    """Captions a column of pictures, paths or bytes; the other arguments are those of `Client.caption`."""

    def __init__(
        self, *, model: str | Path | None = None, column: str = "image", attention: Any = None, **options: Any
    ) -> None:
        chosen = {"attention": attention, "priority": "bulk"} | options
        super().__init__(
            "captioning", lambda client, images: client.caption(images, **chosen), model, column, bool(attention)
        )


def map_dataset(
    dataset: Any, task: type[_MapBatches], *, num_actors: int = 1, cpus_per_actor: int = 1, **arguments: Any
) -> Any:
    """Maps a `ray.data.Dataset` by actors with an engine each, and returns the dataset that results.

    Args:
        task: `Translate`, `Summarize` or `Caption`, with its `arguments`.
        num_actors: actors on the cluster, each with the model in its own memory.
        cpus_per_actor: threads of an engine.

    Raises:
        MissingExtra: Ray is not installed.
    """
    ray = import_ray()
    return dataset.map_batches(
        task,
        fn_constructor_kwargs=arguments,
        batch_size=BATCH_ROWS,
        compute=ray.data.ActorPoolStrategy(size=num_actors),
        num_cpus=cpus_per_actor,
    )


def _no_input(index: int, value: object, column: str) -> Outcome:
    found = "null" if value is None else f"of type {type(value).__name__}"
    error = InvalidArgument(
        "INVALID_ARGUMENT", f"{column!r} must be a text, or a picture's bytes; it is {found}", "INVALID_VALUE"
    )
    return Outcome(index, value, error=error)


def _objects(values: list[Any]) -> NDArray[Any]:
    """An array of objects, one for each row, whatever shapes they have."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
