"""Tables for the terminal and for Markdown."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import rich.table
from rich.console import Console

WIDTH_OF_FILES = 140


@dataclass(frozen=True)
class Table:
    """Rows of text; every row has as many cells as the header."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_rich(self) -> rich.table.Table:
        """The table for a terminal; columns of numbers are right-aligned."""
        table = rich.table.Table(title=self.title, title_justify="left")
        for number, name in enumerate(self.header):
            table.add_column(name, justify="right" if self._is_numeric(number) else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def to_markdown(self) -> str:
        """The title in bold, then the table."""
        rules = ("---:" if self._is_numeric(number) else "---" for number in range(len(self.header)))
        lines = [self.header, tuple(rules), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _is_numeric(self, column: int) -> bool:
        cells = [row[column] for row in self.rows if row[column]]
        return bool(cells) and all(cell[0].isdigit() for cell in cells)


def show(tables: Iterable[Table], notes: Iterable[str]) -> None:
    """Prints tables and notes; if the output is no terminal, wide enough for every table."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH_OF_FILES)
    for table in tables:
        console.print(table.to_rich())
    for note in notes:
        console.print(note, highlight=False)
