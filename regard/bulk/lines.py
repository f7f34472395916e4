"""Corpora of lines: JSON objects, tab-separated tables, plain texts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regard.bulk.compressed import UTF8_BOM, opened
from regard.bulk.rows import BadRow, Columns, CorpusError, Row, checked_id, checked_text, decoded, unique_keys

MAX_LINE_BYTES = 16 * 2**20
_CHUNK_BYTES = 2**20


class PlainLines:
    """One text a line."""

    _num_heading = 0  # lines before the first row

    def __init__(self, path: Path, columns: Columns) -> None:
        self.path = path
        self.columns = columns

    def count_rows(self) -> int:
        """How many rows the file has; reads it to its end.

        Raises:
            CorpusError: it is no file of this format.
        """
        num_lines, last = 0, b"\n"
        with opened(self.path) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                num_lines += chunk.count(b"\n")
                last = chunk[-1:]
        return max(0, num_lines + (last != b"\n") - self._num_heading)

    def rows(self) -> Iterator[Row]:
        """Yields the rows, unreadable ones included; their `index` is not yet set."""
        with opened(self.path) as stream:
            for number, line in enumerate(_lines(stream), 1):
                if number > self._num_heading:
                    yield self._row(number, line)

    def _row(self, number: int, line: bytes | None) -> Row:
        empty = Row(str(self.path), number, None, "")
        if line is None:
            return empty.refused("LINE_TOO_LONG", f"the line has more than {MAX_LINE_BYTES} bytes")
        try:
            custom_id, value = self._read(decoded(line, "the line"))
            return Row(str(self.path), number, custom_id, value)
        except BadRow as error:
            shown = line.decode(errors="backslashreplace")
            bad = Row(str(self.path), number, error.custom_id, shown)
            return bad.refused(error.reason, str(error))

    def _read(self, line: str) -> tuple[str | None, str]:
        """The name and the value of a line. Raises BadRow."""
        return None, line


class JsonLines(PlainLines):
    """One object a line."""

    def _read(self, line: str) -> tuple[str | None, str]:
        try:
            content = json.loads(line, object_pairs_hook=unique_keys)
        except (ValueError, RecursionError) as error:
            raise BadRow("INVALID_LINE", f"the line is not JSON: {error}") from None
        if not isinstance(content, dict):
            raise BadRow("INVALID_LINE", "the line is no JSON object")
        custom_id = self._id_of(content)
        name = self.columns.value
        if name not in content:
            raise BadRow("MISSING_COLUMN", f"the object has no {name!r}", custom_id)
        try:
            return custom_id, checked_text(content[name], name)
        except BadRow as error:
            raise BadRow(error.reason, str(error), custom_id) from None

    def _id_of(self, content: dict[str, Any]) -> str | None:
        name = self.columns.custom_id
        if content.get(name) is not None:
            return checked_id(content[name], name)
        if self.columns.needs_id:
            raise BadRow("MISSING_COLUMN", f"the object has no {name!r}")
        return None


class TabLines(PlainLines):
    """A table of text/tab-separated-values: cells between tabs, without quotes; its first line names the columns.

    If the column of values is a number, there is no such line.
    """

    def __init__(self, path: Path, columns: Columns) -> None:
        super().__init__(path, columns)
        self._num_heading = 0 if columns.value.isdecimal() else 1
        self._places: tuple[int, int | None] | None = None  # of the value and of the name, among the cells
        self._num_cells = 0

    def count_rows(self) -> int:
        self._find_columns()
        return super().count_rows()

    def rows(self) -> Iterator[Row]:
        self._find_columns()
        return super().rows()

    def _find_columns(self) -> None:
        with opened(self.path) as stream:
            first = next(_lines(stream), b"")
        try:
            cells = decoded(first or b"", "the line").split("\t")
        except BadRow as error:
            if self._num_heading:
                raise CorpusError(f"{self.path}: the first line, which names the columns: {error}") from None
            cells = (first or b"").decode(errors="replace").split("\t")
        self._num_cells = len(cells)
        names = cells if self._num_heading else [str(number) for number in range(1, len(cells) + 1)]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise CorpusError(f"{self.path} has several columns {repeated[0]!r}")
        self._places = (self._place(self.columns.value, names), self._place_of_id(names))

    def _place_of_id(self, names: list[str]) -> int | None:
        if self.columns.needs_id or self.columns.custom_id in names:
            return self._place(self.columns.custom_id, names)
        return None

    def _place(self, name: str, names: list[str]) -> int:
        if name not in names:
            advice = "; --column names another, or gives its number if the first line is a row" if names else ""
            raise CorpusError(f"{self.path} has no column {name!r}; it has {', '.join(map(repr, names))}{advice}")
        return names.index(name)

    def _read(self, line: str) -> tuple[str | None, str]:
        cells = line.split("\t")
        if len(cells) != self._num_cells:
            raise BadRow("INVALID_LINE", f"the line has {len(cells)} cells, and the first line {self._num_cells}")
        assert self._places is not None  # noqa: S101, `rows` has found them
        value, name = self._places
        return (None if name is None else checked_id(cells[name], self.columns.custom_id)), cells[value]


def _lines(stream: Any) -> Iterator[bytes | None]:
    """Yields lines without their ends and without a byte-order mark; None for one that is longer than a row may be."""
    is_first = True
    while line := stream.readline(MAX_LINE_BYTES + 2):
        if len(line) == MAX_LINE_BYTES + 2 and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = stream.readline(_CHUNK_BYTES)
            yield None
        else:
            content = line.removesuffix(b"\n").removesuffix(b"\r")
            content = content.removeprefix(UTF8_BOM) if is_first else content
            yield content if len(content) <= MAX_LINE_BYTES else None
        is_first = False
