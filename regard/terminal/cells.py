"""Labels as wide as a terminal's cells have room for."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from regard.values.labels import Label, readable
from regard.values.units import Token, Word

_MAX_LABEL_WIDTH = 16  # terminal columns


def narrow_labels(units: Sequence[Word] | Sequence[Token]) -> list[Label]:
    """The labels of a map's units on one line each; a longer one is cut."""
    return [_narrow_label(unit) for unit in units]


def label_width(label: Label) -> int:
    """The columns that a label takes in a terminal."""
    return cell_len(label.text)


def _narrow_label(unit: Word | Token) -> Label:
    text = readable(unit.text if isinstance(unit, Word) else unit.piece)
    is_cut = cell_len(text) > _MAX_LABEL_WIDTH
    return Label(set_cell_size(text, _MAX_LABEL_WIDTH - 1) + "…" if is_cut else text, unit.special)
