"""A picture once for each object that was found in it, with the object's box, lit where the model looked."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from regard.plots.caption import plot_caption
from regard.plots.theme import Theme, ThemeName
from regard.values.detections import DetectResult
from regard.wire.images import ImageLike

BOX_COLOUR, BOX_WIDTH = "#ffd400", 1.5  # seen on bright and on dark


def plot_detections(
    picture: ImageLike,
    result: DetectResult,
    *,
    theme: Theme | ThemeName = "light",
    title: str | None = None,
    smooth: bool = True,
    columns: int = 5,
) -> Figure:
    """Draws the picture once for each object, as `plot_caption` does for each word, with the object's box.

    Args:
        picture: that was sent: a path, the bytes of a file, or a Pillow image.
        result: with the alignment, `client.detect(..., attention="alignment")`.
        smooth: interpolates between the grid's regions; False draws each with one shade.
        columns: most pictures in a row.

    Raises:
        ValueError: the result has no object or no alignment, or the picture has another size than the one that was
            sent.
    """
    alignment, grid = result.input.find_map("alignment"), result.input.image_grid
    if alignment is None or grid is None:
        raise ValueError('the call asks for no alignment: attention="alignment" does')
    if not result.detections:
        raise ValueError("there is nothing to draw: no object was found")
    names = [f"{found.label} {found.score:.2f}" for found in result.detections]
    figure = plot_caption(
        picture, alignment.values, names, grid, theme=theme, title=title, smooth=smooth, columns=columns
    )
    for axes, found in zip(figure.axes, result.detections, strict=True):
        corner = found.box.left, found.box.top
        axes.add_patch(
            Rectangle(corner, found.box.width, found.box.height, fill=False, edgecolor=BOX_COLOUR, linewidth=BOX_WIDTH)
        )
    return figure
