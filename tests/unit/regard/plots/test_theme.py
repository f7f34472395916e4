"""The ramps: monotonic lightness and even steps, so that they are readable in grey and for colour-blind people."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from regard.plots.theme import DARK, LIGHT, Theme, theme_named

# Linear sRGB as seen without red or without green cones (Vienot, Brettel and Mollon 1999).
PROTANOPIA = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
DEUTERANOPIA = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def linear(colours: np.ndarray) -> np.ndarray:
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson 2020, of linear sRGB [n, 3]."""
    to_lms = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.asarray(np.cbrt(np.clip(rgb, 0, None) @ to_lms.T) @ to_lab.T)


def contrast(first: str, second: str) -> float:
    """The contrast of two colours by WCAG 2."""
    light, dark = sorted(float(linear(np.array(to_rgb(c))) @ [0.2126, 0.7152, 0.0722]) for c in (first, second))[::-1]
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
class TestTheme:
    def test_lightness_is_monotonic_for_colour_blind_people_too(self, theme: Theme) -> None:
        colours = linear(theme.colormap(np.linspace(0, 1, 65))[:, :3])
        for perceived in (colours, colours @ PROTANOPIA.T, colours @ DEUTERANOPIA.T):
            steps = np.diff(oklab(perceived)[:, 0])
            assert (steps > 0).all() or (steps < 0).all()

    def test_equal_steps_of_weight_are_equal_steps_of_colour(self, theme: Theme) -> None:
        anchors = oklab(linear(np.array([to_rgb(c) for c in theme.ramp])))
        steps = np.linalg.norm(np.diff(anchors, axis=0), axis=1)
        np.testing.assert_allclose(steps, steps.mean(), rtol=0.1)

    def test_text_has_contrast(self, theme: Theme) -> None:
        assert contrast(theme.ink, theme.paper) >= 7
        assert contrast(theme.quiet, theme.paper) >= 3.5
        assert contrast(theme.strong, theme.paper) >= 3


def test_a_theme_by_name() -> None:
    assert theme_named("dark") is theme_named(DARK)
    with pytest.raises(ValueError, match="'mauve'"):
        theme_named("mauve")  # type: ignore[arg-type]
