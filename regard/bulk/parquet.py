"""Corpora of Parquet files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from regard.bulk.rows import BadRow, Columns, CorpusError, Row, checked_id, decoded
from regard.saved.arrow import import_arrow

_ROWS_AT_A_TIME = 1024


@dataclass(frozen=True)
class _Text:
    """A cell of a column of texts; a file may have texts that are no UTF-8."""

    content: bytes


class ParquetTable:
    """A table with a column of texts, or of pictures: paths, bytes, or structs of both as `datasets` writes them."""

    def __init__(self, path: Path, columns: Columns) -> None:
        self.path = path
        self.columns = columns
        self._arrow = import_arrow("reading Parquet")

    def count_rows(self) -> int:
        """How many rows the file has; reads its columns to their end.

        Raises:
            CorpusError: it is no whole file of Parquet, or lacks a column.
        """
        return sum(batch.num_rows for batch in self._batches())

    def rows(self) -> Iterator[Row]:
        """Yields the rows, unreadable ones included; their `index` is not yet set."""
        number = 0
        for batch in self._batches():
            values = self._cells(batch.column(self.columns.value))
            has_ids = self.columns.custom_id in batch.schema.names
            names = self._cells(batch.column(self.columns.custom_id)) if has_ids else [None] * batch.num_rows
            for value, name in zip(values, names, strict=True):
                number += 1
                yield self._row(number, value, name)

    def _batches(self) -> Iterator[Any]:
        lib = self._arrow.lib
        try:
            with self._arrow.parquet.ParquetFile(self.path) as file:
                names = self._checked_columns(file.schema_arrow)
                yield from file.iter_batches(_ROWS_AT_A_TIME, columns=names)
        except (lib.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None and error.filename:
                raise
            raise CorpusError(f"{self.path} is no whole file of Parquet: {' '.join(str(error).split())}") from None

    def _checked_columns(self, schema: Any) -> list[str]:
        columns = self.columns
        named = [columns.value, *([columns.custom_id] if columns.needs_id else [])]
        for name in named:
            if schema.names.count(name) != 1:
                raise CorpusError(f"{self.path} has no column {name!r}; it has {', '.join(map(repr, schema.names))}")
        value = schema.field(columns.value).type
        if not (self._is_text(value) or (columns.has_pictures and self._is_picture(value))):
            kind = "pictures" if columns.has_pictures else "texts"
            raise CorpusError(f"{self.path}: the column {columns.value!r} has no {kind}: it is of type {value}")
        if columns.custom_id in schema.names and columns.custom_id not in named:
            named.append(columns.custom_id)
        return named

    def _is_text(self, kind: Any) -> bool:
        types = self._arrow.types
        inner = kind.value_type if types.is_dictionary(kind) else kind
        return bool(types.is_string(inner) or types.is_large_string(inner) or types.is_string_view(inner))

    def _is_picture(self, kind: Any) -> bool:
        types = self._arrow.types
        is_struct = types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}
        return bool(types.is_binary(kind) or types.is_large_binary(kind) or is_struct)

    def _cells(self, column: Any) -> list[Any]:
        if not self._is_text(column.type):
            return list(column.to_pylist())
        if self._arrow.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        contents = column.cast(self._arrow.large_binary()).to_pylist()
        return [None if content is None else _Text(content) for content in contents]

    def _row(self, number: int, value: Any, name: Any) -> Row:
        custom_id: str | None = None
        try:
            custom_id = self._id_of(name)
            return Row(str(self.path), number, custom_id, self._value_of(value))
        except BadRow as error:
            shown = value.content.decode(errors="backslashreplace") if isinstance(value, _Text) else ""
            return Row(str(self.path), number, custom_id, shown).refused(error.reason, str(error))

    def _id_of(self, cell: Any) -> str | None:
        name = self.columns.custom_id
        if cell is None and not self.columns.needs_id:
            return None
        return checked_id(decoded(cell.content, repr(name)) if isinstance(cell, _Text) else cell, name)

    def _value_of(self, cell: Any) -> str | bytes:
        name = self.columns.value
        found = (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell
        if isinstance(found, _Text):
            return decoded(found.content, repr(name))
        if not isinstance(found, str | bytes):
            raise BadRow("INVALID_VALUE", f"{name!r} is null")
        return found
