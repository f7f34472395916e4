"""Figures as pixels."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray


def labels(axes: Axes, side: str) -> list[Text]:
    """The labels of a heatmap's "source" or "target"."""
    return [text for text in axes.texts if text.get_gid() == side]


class Rendered:
    """A rendered figure; colours are RGB in [0, 1]."""

    def __init__(self, figure: Figure) -> None:
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        self.pixels: NDArray[np.float64] = np.asarray(canvas.buffer_rgba())[..., :3] / 255

    def at(self, axes: Axes, x: float, y: float) -> NDArray[np.float64]:
        """The colour at a point in the coordinates of an axes."""
        column, from_below = axes.transData.transform((x, y))
        return np.asarray(self.pixels[len(self.pixels) - 1 - int(from_below), int(column)])
