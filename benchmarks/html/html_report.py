"""The times of pages and heatmaps as JSON and as tables."""

from collections.abc import Iterator
from typing import Literal

from benchmarks.harness.measurement import Measurement
from benchmarks.harness.spread import Spread
from benchmarks.harness.tables import Table
from benchmarks.html.drawing import SIZE, Drawing
from benchmarks.html.opening import Opening
from benchmarks.html.synthetic import NUM_HEADS, NUM_LAYERS, NUM_WORDS


class HtmlReport(Measurement):
    """All measured times.

    Attributes:
        opening: None without a browser.
    """

    benchmark: Literal["html"] = "html"
    opening: Opening | None
    drawings: tuple[Drawing, ...]

    def tables(self) -> Iterator[Table]:
        """The page and the heatmaps."""
        if self.opening is not None:
            yield _opening(self.opening)
        yield Table(
            f"A heatmap of {SIZE} by {SIZE}, drawn and written, seconds: median (least to most)",
            [
                "file",
                "in a process that has drawn before",
                "its processor time",
                "in a new process, with imports",
                "its processor time",
            ],
            [_times(each) for each in self.drawings],
        )

    def notes(self) -> list[str]:
        """The page's size, the browser, and whether other work ran."""
        notes = []
        if self.opening is not None:
            size = f"{self.opening.size_bytes / 1e6:.1f} MB"
            notes.append(f"A page of {size}, from a file, in {self.opening.browser}, headless, {self._rounds()}.")
        else:
            notes.append("The page was not measured: no browser is installed.")
        if self.machine.is_busy:
            notes.append(self.machine.busy_note)
        return notes

    def _rounds(self) -> str:
        return f"{len(self.opening.opened.values)} openings of each" if self.opening else ""


def _times(drawing: Drawing) -> list[str]:
    spreads = drawing.again, drawing.again_cpu, drawing.first, drawing.first_cpu
    return [drawing.form.upper(), *(spread.text(".3f") for spread in spreads)]


def _opening(opening: Opening) -> Table:
    title = f"The page with {NUM_LAYERS} layers of {NUM_HEADS} heads over {NUM_WORDS} by {NUM_WORDS} words"
    rows: list[tuple[str, Spread]] = [
        ("open: first map visible, input answered", opening.opened),
        ("the same for an empty page", opening.empty),
        ("whole file read", opening.read),
        ("processor time of the main thread until then", opening.work),
        ("the same for an empty page", opening.empty_work),
        ("highlight a word under the pointer", opening.hover),
        ("show another head", opening.head),
        ("show another kind of map", opening.kind),
        ("the same for the first time, with decoding", opening.first_kind),
    ]
    return Table(f"{title}, ms", ["", "median (least to most)"], [[name, spread.text(".1f")] for name, spread in rows])
