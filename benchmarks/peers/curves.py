"""Regard's throughput and cost by number of slots, by length of sources and outputs, and by number of models."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.harness.spread import Spread
from benchmarks.peers.engines import RunningEngine, Setting, open_engine
from benchmarks.peers.jobs import Job, fixed_length_job
from benchmarks.peers.models import MARIAN
from benchmarks.peers.results import Curve, Point
from benchmarks.peers.rows import Context

SLOTS = (1, 2, 4, 8, 16, 32, 64, 128)
SOURCES = (8, 16, 32, 64, 128, 256, 512)
TARGETS = (8, 16, 32, 64, 128, 256)
NUM_MODELS = (1, 2, 4, 8)
MIDDLE = 24  # length of sources while outputs vary, and of outputs while sources vary


@dataclass(frozen=True)
class _Place:
    """One point of a curve: setting, job, and number of models loaded."""

    at: int
    setting: Setting
    job: Job
    copies: int = 1


@dataclass(frozen=True)
class _Plan:
    name: str
    title: str
    of: str
    unit: str
    places: tuple[_Place, ...]


def measure(context: Context, commit: str) -> Iterator[Curve]:
    """Yields the curves; each point starts its own engine and runs its rounds in sequence."""
    for plan in _plans(context):
        points = []
        for place in plan.places:
            context.stage(f"curve {plan.name}: {place.at}")
            points.append(Point(at=place.at, value=_value(place, plan.unit, context.plan.slow_rounds)))
        date = datetime.now(UTC).replace(microsecond=0)
        yield Curve(
            name=plan.name, title=plan.title, of=plan.of, unit=plan.unit, date=date, commit=commit, points=tuple(points)
        )


def _plans(context: Context) -> Iterator[_Plan]:
    regard = context.engines(MARIAN).regard

    def job(source: int, target: int, batch: int, groups: int) -> Job:
        return fixed_length_job(MARIAN, source, target, batch, groups)

    slots = [_Place(n, regard(n), job(MIDDLE, MIDDLE, n, 4 if n < 32 else 3)) for n in SLOTS]
    yield _Plan("slots", "Throughput by slots of a batch", "slots", "tokens/s", tuple(slots))
    sources = [_Place(n, regard(8), job(n, MIDDLE, 8, 3)) for n in SOURCES]
    yield _Plan("source", "Cost of a request by its source", "source tokens", "ms a request", tuple(sources))
    targets = [_Place(n, regard(8), job(MIDDLE, n, 8, 3)) for n in TARGETS]
    yield _Plan("target", "Cost of a token by the output's length", "output tokens", "ms a token", tuple(targets))
    models = [_Place(n, regard(8), job(MIDDLE, MIDDLE, 8, max(1, 8 // n)), n) for n in NUM_MODELS]
    yield _Plan("models", "Throughput by models loaded", "models", "tokens/s", tuple(models))


def _value(place: _Place, unit: str, rounds: int) -> Spread:
    with open_engine(place.setting) as running:
        call = _calls(running, place)
        call(place.job.warm_up)
        answers = [call(place.job) for _ in range(rounds)]
    count = place.copies * sum(len(group["sources"]) for group in place.job.groups)
    values = {
        "tokens/s": [each["num_tokens"] / each["seconds"] for each in answers],
        "ms a request": [1000 * each["seconds"] / count for each in answers],
        "ms a token": [1000 * each["seconds"] / each["num_tokens"] for each in answers],
    }
    return Spread.of(values[unit], 3)


def _calls(running: RunningEngine, place: _Place) -> Callable[[Job], dict[str, float]]:
    """Returns a function that runs a job on the point's number of models at a time."""
    options = {"copies": place.copies} if place.copies > 1 else {}

    def call(job: Job) -> dict[str, float]:
        answer: dict[str, float] = running.worker.call("run", **job.arguments, **options)
        return answer

    return call
