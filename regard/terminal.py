"""What a terminal shows: an alignment as a grid of words, and text without anything that would steer the terminal."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from regard.arrays import Float32Array
from regard.results import Hypothesis, Result, Token, Word

_MAX_LABEL = 16  # terminal columns; longer words are cut
_MIN_CELL = 3  # "100"
_GAP = " "
_FAINT = 0.05  # below this a cell stays as the terminal is

# From viridis, which colour-blind people can read too, and which is ordered by brightness.
_RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))

# They reorder text that stands after them, up to the end of the line.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Label:
    """What stands beside a row or above a column; the model's own tokens are dimmed."""

    text: str
    special: bool

    @property
    def width(self) -> int:
        return cell_len(self.text)


def printable(text: str) -> str:
    """The text with U+FFFD for control characters, which could move the cursor or change the terminal's state."""
    return "".join("\ufffd" if _steers(character) else character for character in text)


def _steers(character: str) -> bool:
    if character in "\n\t":
        return False
    return character in _BIDI_CONTROLS or unicodedata.category(character) in ("Cc", "Cs")


def print_alignment(console: Console, result: Result, hypothesis: Hypothesis) -> None:
    """Prints a hypothesis' alignment as a grid: source above, target at the left, weights in percent."""
    alignment = hypothesis.alignment
    if alignment is None or result.image_grid is not None:
        return
    by_words = alignment.granularity == "word"
    sources = labels(result.source_words if by_words else result.source_tokens)
    targets = labels(hypothesis.words if by_words else hypothesis.tokens)
    if alignment.shape != (len(targets), len(sources)):
        return
    for line in grid_lines(sources, targets, alignment.values, console.width):
        console.print(line, no_wrap=True, overflow="crop", crop=True)


def labels(units: Sequence[Word] | Sequence[Token]) -> list[Label]:
    """What stands beside or above the units of a map."""
    return [_label(unit) for unit in units]


def _label(unit: Word | Token) -> Label:
    text = unit.text if isinstance(unit, Word) else unit.piece
    one_line = " ".join(printable(text).split()) or "␣"
    return Label(
        one_line if cell_len(one_line) <= _MAX_LABEL else set_cell_size(one_line, _MAX_LABEL - 1) + "…", unit.special
    )


def grid_lines(sources: Sequence[Label], targets: Sequence[Label], weights: Float32Array, width: int) -> Iterator[Text]:
    """The lines of a grid; where the source is wider than the terminal, several grids below each other.

    Args:
        sources, targets: the labels of the columns and rows.
        weights: float32 [target, source].
        width: of the terminal, in columns.
    """
    rows = [index for index, target in enumerate(targets) if not target.special]
    margin = max((targets[row].width for row in rows), default=0)
    for number, columns in enumerate(_windows(sources, width - margin)):
        if number:
            yield Text()
        yield _header(sources, columns, margin)
        for row in rows:
            yield _row(targets[row], sources, columns, weights[row], margin)


def _windows(sources: Sequence[Label], room: int) -> Iterator[range]:
    """Ranges of columns that fit into the room; at least one column each."""
    start, used = 0, 0
    for index, source in enumerate(sources):
        needed = len(_GAP) + _cell_width(source)
        if index > start and used + needed > room:
            yield range(start, index)
            start, used = index, 0
        used += needed
    if sources:
        yield range(start, len(sources))


def _cell_width(source: Label) -> int:
    return max(_MIN_CELL, source.width)


def _header(sources: Sequence[Label], columns: range, margin: int) -> Text:
    line = Text(" " * margin)
    for column in columns:
        source = sources[column]
        padding = " " * (_cell_width(source) - source.width)
        line.append(_GAP)
        line.append(padding + source.text, "dim" if source.special else "bold")
    return line


def _row(target: Label, sources: Sequence[Label], columns: range, weights: Float32Array, margin: int) -> Text:
    line = Text(" " * (margin - target.width))
    line.append(target.text, "bold")
    for column in columns:
        weight = float(weights[column])
        percent = f"{100 * weight:.0f}" if weight >= 0.005 else "·"
        line.append(_GAP)
        line.append(percent.rjust(_cell_width(sources[column])), cell_style(weight))
    return line


def cell_style(weight: float) -> Style:
    """A weight's colour; text on it stays readable. Faint weights have none."""
    if not weight >= _FAINT:
        return Style(dim=True)
    red, green, blue = ramp(weight)
    is_bright = 0.299 * red + 0.587 * green + 0.114 * blue > 128
    return Style(color="black" if is_bright else "white", bgcolor=Color.from_rgb(red, green, blue))


def ramp(share: float) -> tuple[int, int, int]:
    """The colour of a share of the brightest, from 0 to 1: red, green, blue."""
    position = min(max(share, 0.0), 1.0) * (len(_RAMP) - 1)
    low = min(int(position), len(_RAMP) - 2)
    red, green, blue = (round(a + (b - a) * (position - low)) for a, b in zip(_RAMP[low], _RAMP[low + 1], strict=True))
    return red, green, blue
