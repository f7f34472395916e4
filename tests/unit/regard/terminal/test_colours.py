"""Colours of weights in a terminal."""

from regard.terminal.colours import cell_style


def test_colour_grows_with_the_weight_and_text_stays_readable() -> None:
    assert cell_style(0.01).bgcolor is None
    assert cell_style(float("nan")).bgcolor is None
    low, high = cell_style(0.1), cell_style(1.5)
    assert low.color is not None
    assert low.color.name == "white"
    assert high.color is not None
    assert high.color.name == "black"
