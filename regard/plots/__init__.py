"""Pictures of attention, with matplotlib and Pillow: `pip install 'regard[plot]'`. No server is needed.

    figure = plot_attention_weights(weights, input_tokens, output_tokens)
    figure.savefig("heatmap.svg")

Weights are [target, source]; each row sums to 1. Every function returns a matplotlib Figure that belongs to no window;
`figure.savefig` writes PNG, SVG or PDF. `plot_result` and `result.plot()` draw a map of a result.
"""

from regard.errors import MissingExtra

try:
    import matplotlib  # noqa: F401
    import PIL  # noqa: F401
except ModuleNotFoundError as error:  # pragma: no cover, the tests have both
    raise MissingExtra("drawing attention", "plot", error.name) from None

from regard.plots.animation import save_animation
from regard.plots.caption import plot_caption
from regard.plots.detections import plot_detections
from regard.plots.flow import plot_attention_flow
from regard.plots.gates import GateKind, GatePlotOptions, plot_gates
from regard.plots.heads import plot_heads
from regard.plots.heatmap import plot_attention_weights
from regard.plots.result_plots import ENDINGS, PlotOptions, Style, animate_result, plot_result, save_plot
from regard.plots.theme import DARK, LIGHT, Theme, ThemeName, theme_named

__all__ = [
    "DARK",
    "ENDINGS",
    "LIGHT",
    "GateKind",
    "GatePlotOptions",
    "PlotOptions",
    "Style",
    "Theme",
    "ThemeName",
    "animate_result",
    "plot_attention_flow",
    "plot_attention_weights",
    "plot_caption",
    "plot_detections",
    "plot_gates",
    "plot_heads",
    "plot_result",
    "save_animation",
    "save_plot",
    "theme_named",
]
