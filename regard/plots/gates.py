"""The gates of a picture's feature maps: of positions over the picture, or of channels as a heatmap."""

from typing import Literal, TypedDict, Unpack

from matplotlib.figure import Figure

from regard.errors.names import check_names
from regard.plots.caption import plot_caption
from regard.plots.heatmap import plot_attention_weights
from regard.plots.theme import Theme, ThemeName
from regard.values.encodings import ClassifiedInput
from regard.wire.images import ImageLike

GateKind = Literal["spatial", "channel"]


class GatePlotOptions(TypedDict, total=False):
    """What to draw of the gates.

    `kind` is "spatial" or "channel", by default the first of them that the result has. `smooth` interpolates between
    regions; False draws each with one shade. `columns` is the number of pictures in a row.
    """

    kind: GateKind | None
    theme: Theme | ThemeName
    title: str | None
    smooth: bool
    columns: int


def plot_gates(result: ClassifiedInput, picture: ImageLike | None = None, **options: Unpack[GatePlotOptions]) -> Figure:
    """Draws the gates of positions, the picture once for each layer, from dark at the layer's smallest gate to lit at
    its largest; or the gates of channels, a row for each layer.

    Args:
        picture: that was sent: a path, the bytes of a file, or a Pillow image. Not needed for channels.
        options: see `GatePlotOptions`.

    Raises:
        TypeError: there is no such option.
        ValueError: the result has no such map, or the picture is missing, or has another size than the one that was
            sent.
    """
    check_names("option", options, GatePlotOptions.__annotations__, TypeError)
    theme, title = options.get("theme", "light"), options.get("title")
    kinds: list[GateKind] = ["spatial", "channel"]
    chosen = options.get("kind")
    gates = next((found for kind in kinds if chosen in (None, kind) and (found := result.input.find_map(kind))), None)
    if gates is None:
        wanted = " or ".join(map(repr, [chosen] if chosen else kinds))
        raise ValueError(f"the result has no map of the kind {wanted}; the call has to set attention={wanted}")
    layers = [f"layer {layer}" for layer in gates.layers]
    if gates.kind == "channel":
        numbers = [str(channel) for channel in range(gates.shape[-1])]
        return plot_attention_weights(gates.values, numbers, layers, theme=theme, title=title, largest=1.0)
    grid = result.input.image_grid
    if picture is None or grid is None:
        raise ValueError("drawing over the picture needs the picture that was sent")
    return plot_caption(
        picture,
        gates.values - gates.values.min(axis=-1, keepdims=True),
        layers,
        grid,
        theme=theme,
        title=title,
        smooth=options.get("smooth", True),
        columns=options.get("columns", 5),
    )
