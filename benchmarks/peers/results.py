"""The results of rows and curves in the report."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.spread import Spread
from benchmarks.peers.rounds import Measured


class Result(BaseModel):
    """Base of all results."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(Result):
    """A value with its targets.

    Attributes:
        needed, goal: the targets; None without a target.
        at_most: whether less is better.
    """

    what: str
    value: Spread
    needed: float | None = None
    goal: float | None = None
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """The better target that the median reaches: "goal", "needed" or "missed"; "" without targets."""
        if self.needed is None or self.goal is None:
            return ""
        reached = [self.value.median <= bound if self.at_most else self.value.median >= bound
                   for bound in (self.needed, self.goal)]  # fmt: skip
        return "goal" if reached[1] else "needed" if reached[0] else "missed"


class EngineResult(Result):
    """The values of one engine.

    Attributes:
        values: by name, such as "tokens/s".
    """

    engine: str
    setting: str
    versions: dict[str, str]
    values: dict[str, Spread]

    @classmethod
    def of(cls, measured: Measured) -> "EngineResult":
        """Summarizes the rounds of an engine."""
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
        name: its name for `--rows`.
        date, commit: of this row's measurement; each row may be measured again on its own.
        load_before: load before the row, as in `Machine`.
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
    """Merges earlier and new rows in the table's order; a new row replaces the earlier one of its name."""
    by_name = {row.name: row for row in (*before, *new)}
    return tuple(sorted(by_name.values(), key=lambda row: order.index(row.name) if row.name in order else len(order)))


class Point(Result):
    """One point of a curve."""

    at: int
    value: Spread


class Curve(Result):
    """A value as a function of a size.

    Attributes:
        of: name of the size.
        unit: unit of the value.
    """

    name: str
    title: str
    of: str
    unit: str
    date: datetime
    commit: str
    points: tuple[Point, ...]
