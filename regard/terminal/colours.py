"""Colours of weights in a terminal."""

from rich.color import Color
from rich.style import Style

_MIN_COLOURED_WEIGHT = 0.05

# Samples of viridis, whose lightness grows evenly, so that colour-blind people can read it too.
_RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))


def cell_style(weight: float) -> Style:
    """The background colour of a weight, with text that is readable on it; small weights are dim and have none."""
    if not weight >= _MIN_COLOURED_WEIGHT:  # NaN too
        return Style(dim=True)
    red, green, blue = ramp_colour(weight)
    is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > 128
    return Style(color="black" if is_bright else "white", bgcolor=Color.from_rgb(red, green, blue))


def ramp_colour(share: float) -> tuple[int, int, int]:
    """The ramp's colour at a share from 0 to 1: red, green and blue from 0 to 255."""
    position = min(max(share, 0.0), 1.0) * (len(_RAMP) - 1)
    low = min(int(position), len(_RAMP) - 2)
    red, green, blue = (round(a + (b - a) * (position - low)) for a, b in zip(_RAMP[low], _RAMP[low + 1], strict=True))
    return red, green, blue
