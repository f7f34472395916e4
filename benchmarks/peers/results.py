"""What rows found, in one form for all of them."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.spread import Spread
from benchmarks.peers.rounds import Measured


class Result(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(Result):
    """A number that has a target.

    Attributes:
        needed, goal: None where nothing was promised.
        at_most: whether less is better.
    """

    what: str
    value: Spread
    needed: float | None = None
    goal: float | None = None
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """How far the median got."""
        if self.needed is None or self.goal is None:
            return ""
        reached = [self.value.median <= bound if self.at_most else self.value.median >= bound
                   for bound in (self.needed, self.goal)]  # fmt: skip
        return "goal" if reached[1] else "needed" if reached[0] else "missed"


class EngineResult(Result):
    """What one engine did.

    Attributes:
        values: by name and unit, such as "tokens/s".
    """

    engine: str
    setting: str
    versions: dict[str, str]
    values: dict[str, Spread]

    @classmethod
    def of(cls, measured: Measured) -> "EngineResult":
        cores = [cpu / seconds for cpu, seconds in zip(measured.cpu_s, measured.seconds, strict=True)]
        return cls(
            engine=measured.running.engine,
            setting=measured.running.described,
            versions=measured.running.versions,
            values={"tokens/s": measured.tokens_per_s, "cores busy": Spread.of(cores, 2)},
        )


class RowResult(Result):
    """A row of the table.

    Attributes:
        name: as `--rows` takes it.
        date, commit: when it was measured; rows are measured anew one by one.
        load_before: as that of a `Machine`.
    """

    name: str
    title: str
    date: datetime
    commit: str
    load_before: float
    quick: bool
    figures: tuple[Figure, ...]
    engines: tuple[EngineResult, ...] = ()
    notes: tuple[str, ...] = ()


def merged(before: Sequence[RowResult], new: Sequence[RowResult], order: Sequence[str]) -> tuple[RowResult, ...]:
    """Rows measured earlier and now, the newer of each, in the table's order."""
    by_name = {row.name: row for row in (*before, *new)}
    return tuple(sorted(by_name.values(), key=lambda row: order.index(row.name) if row.name in order else len(order)))


class Point(Result):
    at: int
    value: Spread


class Curve(Result):
    """How a figure depends on a size.

    Attributes:
        of: the size; `unit`: of the figure.
    """

    name: str
    title: str
    of: str
    unit: str
    date: datetime
    commit: str
    points: tuple[Point, ...]
