"""Sends every input of the tasks through a server and scores what comes back."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress, TaskID

from benchmarks.harness.served_model import ServedModel
from benchmarks.quality.quality_report import Score
from benchmarks.quality.task import Call, LeftOut, Part, Task
from regard import AsyncClient, Model, Overloaded

NUM_IN_FLIGHT = 64
CALL_TIMEOUT_S = 300.0
MAX_RETRIES = 20
RETRY_AFTER_S = 0.5


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        models: names of models; empty selects each task's own models. A model that no task names runs on every task.
        num_beams: None selects the task's own number.
        limit: maximum number of inputs per part; None is unlimited.
        outputs: folder for the outputs, one file per part; None discards them.
    """

    data: Path
    tasks: Sequence[Task]
    models: tuple[str, ...] = ()
    num_beams: int | None = None
    limit: int | None = None
    outputs: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """Scores, and what was left out with the reason."""

    scores: list[Score]
    left_out: list[str]


async def measure(target: str, options: Options, progress: Progress) -> Outcome:
    """Measures every task on each of its models."""
    outcome = Outcome([], [])
    async with AsyncClient(target, timeout=CALL_TIMEOUT_S) as client:
        served = {model.name: model for model in await client.models() if model.state == "ready"}
        for task, name in _pairs(options):
            try:
                if name not in served:
                    raise LeftOut("the server has no such model")
                for part in task.parts(options.data, served[name], options.limit):
                    outcome.scores.append(await _measure(client, task, part, served[name], options, progress))
            except LeftOut as missing:
                outcome.left_out.append(f"{name} on {task.name}: {missing}")
    return outcome


def _pairs(options: Options) -> Iterator[tuple[Task, str]]:
    """Yields the pairs of a task and the name of a model to measure on it."""
    claimed = {name for task in options.tasks for name in task.models}
    for task in options.tasks:
        for name in options.models or task.models:
            if name in task.models or name not in claimed:
                yield task, name


async def _measure(
    client: AsyncClient, task: Task, part: Part, model: Model, options: Options, progress: Progress
) -> Score:
    num_beams = options.num_beams or task.num_beams
    bar = progress.add_task(f"{model.name} {task.name} {part.split} {part.variant}", total=len(part.calls))
    started = time.perf_counter()
    outputs = await ask(client, part.calls, num_beams, progress, bar)
    seconds = time.perf_counter() - started
    if options.outputs is not None:
        _keep(options.outputs, f"{model.name}.{task.name}.{part.split}.{part.variant or 'all'}.txt", outputs)
    return Score(
        task=task.name,
        title=task.title,
        split=part.split,
        variant=part.variant,
        model=ServedModel.of(model),
        num_beams=num_beams,
        num_inputs=len(outputs),
        metrics=part.score(outputs),
        seconds=round(seconds, 2),
    )


async def ask(client: AsyncClient, calls: Sequence[Call], num_beams: int, progress: Progress, bar: TaskID) -> list[str]:
    """Sends all calls, `NUM_IN_FLIGHT` at a time; returns the best hypotheses' texts in the order of the calls."""
    outputs = [""] * len(calls)
    waiting = iter(enumerate(calls))

    async def work() -> None:
        for number, call in waiting:
            outputs[number] = await _ask_patiently(client, call, num_beams)
            progress.advance(bar)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(NUM_IN_FLIGHT, len(calls))):
            group.create_task(work())
    return outputs


async def _ask_patiently(client: AsyncClient, call: Call, num_beams: int) -> str:
    """Retries after the server's delay while the server is overloaded."""
    for _ in range(MAX_RETRIES):
        try:
            return (await call(client, num_beams)).text
        except Overloaded as overloaded:
            await asyncio.sleep(overloaded.retry_after_s or RETRY_AFTER_S)
    return (await call(client, num_beams)).text


def _keep(folder: Path, name: str, outputs: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = (" ".join(output.split()) + "\n" for output in outputs)
    (folder / name).write_text("".join(lines), encoding="utf-8")
