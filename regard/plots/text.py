"""Text in figures: its width, its direction, and the title."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from regard.plots.fonts import families_for
from regard.plots.theme import Theme
from regard.values.labels import Label


def is_right_to_left(labels: Sequence[Label]) -> bool:
    """Whether most letters of a line of words run right to left."""
    directions = [unicodedata.bidirectional(c) for label in labels if not label.special for c in label.text]
    return directions.count("L") < directions.count("R") + directions.count("AL")


def write_title(figure: Figure, title: str | None, margin: float, colours: Theme) -> None:
    """Writes the title into the upper left corner; None writes nothing. The margin is in inches."""
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
        families: the font families that the texts need.
    """

    def __init__(self, labels: Sequence[Label]) -> None:
        self.families = families_for(label.text for label in labels)
        self._figure = Figure(dpi=100)
        self._renderer = FigureCanvasAgg(self._figure).get_renderer()

    def widths(self, labels: Sequence[Label], size: float) -> NDArray[np.float64]:
        """The width of each label at a font size in points: float64 [labels], inches."""
        width_of: dict[str, float] = {}
        for label in labels:
            if label.text not in width_of:
                drawn = self._figure.text(0, 0, label.text, fontsize=size, family=self.families, parse_math=False)
                width_of[label.text] = drawn.get_window_extent(self._renderer).width / self._figure.dpi
                drawn.remove()
        return np.array([width_of[label.text] for label in labels], np.float64)
