"""A matplotlib figure that a notebook shows by itself."""

from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_NOTEBOOK_DPI = 96
_AXES_DPI = 200


class ShownFigure(Figure):
    """A figure that belongs to no window. A notebook shows it as the value of a cell, without pyplot."""

    def _repr_png_(self) -> bytes:
        """What a notebook shows. Where pyplot is in use, its own formatter goes before."""
        file = BytesIO()
        self.savefig(file, format="png", dpi=_NOTEBOOK_DPI)
        return file.getvalue()


def draw_into(axes: Axes, figure: Figure) -> Any:
    """Draws a figure, with its own layout, as a picture into axes of another figure. Returns that figure."""
    figure.set_dpi(_AXES_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes.imshow(np.asarray(canvas.buffer_rgba()), aspect="equal", interpolation="antialiased")
    axes.set_axis_off()
    return axes.figure
