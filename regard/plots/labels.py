"""Labels: cut to a length, measured, so that a picture is as large as its labels need."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from regard.axes import Label, readable
from regard.plots.fonts import families_for
from regard.plots.theme import Theme

MAX_CHARACTERS = 24

Weights = NDArray[np.float32]


def as_labels(tokens: Sequence[str | Label]) -> list[Label]:
    """Labels of plain tokens, on one line each; long ones are cut."""
    labels = [token if isinstance(token, Label) else Label(readable(token)) for token in tokens]
    return [
        label if len(label.text) <= MAX_CHARACTERS else Label(label.text[: MAX_CHARACTERS - 1] + "…", label.special)
        for label in labels
    ]


def as_weights(weights: ArrayLike, num_targets: int, num_sources: int) -> Weights:
    """Weights as float32 [target, source].

    Raises:
        ValueError: they have another shape than their labels, or are not finite.
    """
    values = np.asarray(weights, np.float32)
    if values.shape != (num_targets, num_sources):
        raise ValueError(f"weights are {list(values.shape)}; their tokens ask for {[num_targets, num_sources]}")
    if not values.size:
        raise ValueError("there is nothing to draw: no tokens")
    if not np.isfinite(values).all():
        raise ValueError("weights must be finite")
    return values


def run_right_to_left(labels: Sequence[Label]) -> bool:
    """Whether most letters of a line of words do."""
    directions = [unicodedata.bidirectional(c) for label in labels if not label.special for c in label.text]
    return directions.count("L") < directions.count("R") + directions.count("AL")


def write_title(figure: Figure, title: str | None, margin: float, colours: Theme) -> None:
    """Writes a title, if there is one, into the upper left corner; the margin is in inches."""
    if title is None:
        return
    figure.text(
        margin / figure.get_figwidth(),
        1 - margin / figure.get_figheight(),
        title,
        va="top",
        fontsize=11,
        color=colours.ink,
        family=families_for([title]),
        parse_math=False,
    )


class Ruler:
    """Measures texts in inches, in the fonts that will draw them.

    Attributes:
        families: the font families, for every text that is drawn.
    """

    def __init__(self, labels: Sequence[Label]) -> None:
        self.families = families_for(label.text for label in labels)
        self._figure = Figure(dpi=100)
        self._renderer = FigureCanvasAgg(self._figure).get_renderer()

    def widths(self, labels: Sequence[Label], size: float) -> NDArray[np.float64]:
        """The width of each label at this size in points, inches [labels]."""
        known: dict[str, float] = {}
        for label in labels:
            if label.text not in known:
                drawn = self._figure.text(0, 0, label.text, fontsize=size, family=self.families, parse_math=False)
                known[label.text] = drawn.get_window_extent(self._renderer).width / self._figure.dpi
                drawn.remove()
        return np.array([known[label.text] for label in labels], np.float64)
