"""Colour themes, light and dark.

Both ramps are designed in OKLab (Ottosson 2020): lightness is monotonic, and equal steps of weight are equal steps of
colour, so that colour-blind people can read them and they print well in grey. A test checks this.
`regard/html/view/theme.js` has the same ramps.
"""

from dataclasses import dataclass, field
from typing import Literal

from matplotlib.colors import Colormap, LinearSegmentedColormap

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True)
class Theme:
    """Colours of a picture, as "#rrggbb".

    Attributes:
        paper: the background.
        ink: text.
        quiet: labels of special tokens, axes, notes.
        ramp: colours of the weights from 0 to the largest, evenly spaced.
    """

    name: ThemeName
    paper: str
    ink: str
    quiet: str
    ramp: tuple[str, ...]
    colormap: Colormap = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        colormap = LinearSegmentedColormap.from_list(f"regard-{self.name}", self.ramp)
        object.__setattr__(self, "colormap", colormap)

    @property
    def strong(self) -> str:
        """A colour of the ramp that contrasts with the paper, for lines and marks."""
        return self.ramp[-4]


LIGHT = Theme(
    name="light",
    paper="#ffffff",
    ink="#1c2230",
    quiet="#7b8494",
    ramp=("#eff5f7", "#bae1ed", "#84cde4", "#57b2db", "#3696d4", "#2b77c2", "#2959aa", "#243f88", "#1a2766"),
)
DARK = Theme(
    name="dark",
    paper="#12151d",
    ink="#e6e9ef",
    quiet="#8c95a6",
    ramp=("#1b1f2b", "#233359", "#1d4d81", "#006f95", "#00909f", "#25af9d", "#74c792", "#b6dc91", "#eff1a1"),
)


def theme_named(theme: "Theme | ThemeName") -> Theme:
    """The theme of that name; a theme itself is returned as it is. Raises ValueError for an unknown name."""
    if isinstance(theme, Theme):
        return theme
    if theme not in ("light", "dark"):
        raise ValueError(f"theme must be 'light' or 'dark'; it is {theme!r}")
    return LIGHT if theme == "light" else DARK
