"""An alignment in a terminal: source words above, target words at the left, weights in percent."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from regard.arrays import Float32Array
from regard.terminal.cells import label_width, narrow_labels
from regard.terminal.colours import cell_style
from regard.values.labels import Label
from regard.values.outputs import Hypothesis, Output

_MIN_CELL_WIDTH = 3  # "100"
_CELL_GAP = " "
_MIN_SHOWN_WEIGHT = 0.005  # smaller weights would round to 0 %


def print_alignment(console: Console, output: Output, hypothesis: Hypothesis) -> None:
    """Prints the alignment of a hypothesis of a text; nothing if there is none."""
    alignment = hypothesis.alignment
    if alignment is None or output.image_grid is not None:
        return
    is_by_words = alignment.granularity == "word"
    sources = narrow_labels(output.source_words if is_by_words else output.source_tokens)
    targets = narrow_labels(hypothesis.words if is_by_words else hypothesis.tokens)
    if alignment.shape != (len(targets), len(sources)):
        return
    for line in grid_lines(sources, targets, alignment.values, console.width):
        console.print(line, no_wrap=True, overflow="crop", crop=True)


def grid_lines(sources: Sequence[Label], targets: Sequence[Label], weights: Float32Array, width: int) -> Iterator[Text]:
    """Yields the lines of a grid; if the source is wider than the terminal, of several grids, one below the other.

    Args:
        sources, targets: labels of the columns and rows; special targets are left out.
        weights: float32 [target, source].
        width: of the terminal, in columns.
    """
    rows = [index for index, target in enumerate(targets) if not target.special]
    margin = max((label_width(targets[row]) for row in rows), default=0)
    for number, columns in enumerate(_column_ranges(sources, width - margin)):
        if number:
            yield Text()
        yield _header(sources, columns, margin)
        for row in rows:
            yield _row(targets[row], sources, columns, weights[row], margin)


def _column_ranges(sources: Sequence[Label], room: int) -> Iterator[range]:
    """Yields ranges of source labels that fit into `room` terminal columns; at least one label each."""
    start, used = 0, 0
    for index, source in enumerate(sources):
        needed = len(_CELL_GAP) + _cell_width(source)
        if index > start and used + needed > room:
            yield range(start, index)
            start, used = index, 0
        used += needed
    if sources:
        yield range(start, len(sources))


def _cell_width(source: Label) -> int:
    return max(_MIN_CELL_WIDTH, label_width(source))


def _header(sources: Sequence[Label], columns: range, margin: int) -> Text:
    line = Text(" " * margin)
    for column in columns:
        source = sources[column]
        padding = " " * (_cell_width(source) - label_width(source))
        line.append(_CELL_GAP)
        line.append(padding + source.text, "dim" if source.special else "bold")
    return line


def _row(target: Label, sources: Sequence[Label], columns: range, weights: Float32Array, margin: int) -> Text:
    line = Text(" " * (margin - label_width(target)))
    line.append(target.text, "bold")
    for column in columns:
        weight = float(weights[column])
        percent = f"{100 * weight:.0f}" if weight >= _MIN_SHOWN_WEIGHT else "·"
        line.append(_CELL_GAP)
        line.append(percent.rjust(_cell_width(sources[column])), cell_style(weight))
    return line
