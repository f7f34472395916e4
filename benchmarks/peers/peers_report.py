"""The comparison with the peers as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from benchmarks.harness.machine import BUSY_LOAD_PER_CORE
from benchmarks.harness.measurement import Measurement
from benchmarks.harness.tables import Table
from benchmarks.peers.results import Curve, Figure, RowResult


class PeersReport(Measurement):
    """All measured rows, each with its own date; date and commit of the report are those of the newest row."""

    benchmark: Literal["peers"] = "peers"
    rows: tuple[RowResult, ...]
    curves: tuple[Curve, ...] = ()

    def tables(self) -> Iterator[Table]:
        """The figures, the engines, and the curves."""
        yield Table(
            "Regard and its peers on the same weights and machine: median (least to most)",
            ["", "figure", "measured", "needed", "goal", "reached"],
            [_figure(row, figure, number) for row in self.rows for number, figure in enumerate(row.figures)],
        )
        yield Table(
            "The engines and their settings: median (least to most)",
            ["", "engine", "setting", "measured"],
            list(self._engines()),
        )

        for curve in self.curves:
            yield Table(
                f"{curve.title}: median (least to most)",
                [curve.of, curve.unit],
                [[f"{point.at}", point.value.text(_form(point.value.median))] for point in curve.points],
            )

    def _engines(self) -> Iterator[list[str]]:
        for row in self.rows:
            for number, each in enumerate(row.engines):
                values = ", ".join(
                    f"{spread.text(_form(spread.median))} {name}" for name, spread in each.values.items()
                )
                yield [row.title if number == 0 else "", each.engine, each.setting, values]

    def notes(self) -> Iterator[str]:
        """Versions, the rows' notes, and what makes rows unreliable."""
        yield "Versions: " + ", ".join(f"{name} {version}" for name, version in sorted(self._versions().items())) + "."
        for row in self.rows:
            for note in row.notes:
                yield f"{row.title}: {note}"
        busy = [row.title for row in self.rows if row.load_before > BUSY_LOAD_PER_CORE * self.machine.cores]
        if busy:
            yield f"Other work ran on the machine before these rows, so their times are unreliable: {', '.join(busy)}."
        quick = [row.title for row in self.rows if row.quick]
        if quick:
            yield f"Measured quickly, so the figures are rough: {', '.join(quick)}."

    def _versions(self) -> dict[str, str]:
        return {name: version for row in self.rows for each in row.engines for name, version in each.versions.items()}


def _figure(row: RowResult, figure: Figure, number: int) -> list[str]:
    sign = "at most " if figure.at_most else ""
    targets = ["" if bound is None else f"{sign}{bound:g}" for bound in (figure.needed, figure.goal)]
    return [row.title if number == 0 else "", figure.what, figure.value.text(), *targets, figure.verdict]


def _form(value: float) -> str:
    return ",.0f" if value >= 100 else ".2f"
