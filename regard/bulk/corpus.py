"""A corpus: files of one or several formats, in order, as one sequence of rows."""

import glob
import hashlib
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, get_args

from regard.bulk.duplicates import MAX_ADDED, SeenIds
from regard.bulk.lines import JsonLines, PlainLines, TabLines
from regard.bulk.parquet import ParquetTable
from regard.bulk.rows import Columns, CorpusError, Row, Source

CorpusFormat = Literal["jsonl", "tsv", "lines", "parquet"]
MAX_GATHERED = 2**20  # characters or bytes of rows that are numbered together

FORMATS: tuple[CorpusFormat, ...] = get_args(CorpusFormat)

ENDINGS: Mapping[str, CorpusFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".jsonl.gz": "jsonl",
    ".ndjson.gz": "jsonl",
    ".tsv.gz": "tsv",
    ".txt.gz": "lines",
}
"""Of the names of files that are corpora by themselves; any other file is one if its format is given."""


class Table(Protocol):
    """A file of a corpus."""

    def count_rows(self) -> int:
        """How many rows it has. Raises CorpusError if it cannot be read to its end."""

    def rows(self) -> Iterator[Row]:
        """The rows, unreadable ones included."""


_READERS: Mapping[CorpusFormat, Callable[[Path, Columns], Table]] = {
    "jsonl": JsonLines,
    "tsv": TabLines,
    "lines": PlainLines,
    "parquet": ParquetTable,
}


@dataclass(frozen=True)
class Corpus:
    """The files of a corpus, each read to its end once.

    Attributes:
        sources: the files, in order.
    """

    sources: tuple[Source, ...]
    _tables: tuple[Table, ...]

    @property
    def num_rows(self) -> int:
        """Rows of all files, unreadable ones included."""
        return sum(source.num_rows for source in self.sources)

    def rows(self) -> Generator[Row, None, None]:
        """Yields every row of the corpus, numbered; one whose name occurred before is refused.

        Raises:
            CorpusError: a file has changed since the corpus was opened.
        """
        index = 0
        with SeenIds() as seen:
            for source, table in zip(self.sources, self._tables, strict=True):
                end = index + source.num_rows
                for rows in _gathered(table.rows()):
                    yield from _numbered(rows, index, seen)
                    index += len(rows)
                if index != end or source.path.stat().st_size != source.size_bytes:
                    raise CorpusError(f"{source.path} has changed while the run read it")


def _gathered(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Several rows at a time: at most `MAX_ADDED`, and few if they are large."""
    gathered: list[Row] = []
    size = 0
    for row in rows:
        gathered.append(row)
        size += len(row.value)
        if len(gathered) == MAX_ADDED or size > MAX_GATHERED:
            yield gathered
            gathered, size = [], 0
    if gathered:
        yield gathered


def _numbered(rows: list[Row], index: int, seen: SeenIds) -> Iterator[Row]:
    """Numbers rows from `index`, and refuses those whose name occurred before."""
    are_new = iter(seen.add([row.custom_id for row in rows if row.custom_id is not None]))
    for number, row in enumerate(rows, index):
        is_new = row.custom_id is None or next(are_new)
        numbered = replace(row, index=number)
        if is_new or row.error is not None:
            yield numbered
        else:
            yield numbered.refused("DUPLICATE_ID", f"an earlier row has the same custom_id, {row.custom_id!r}")


def format_of(path: str) -> CorpusFormat | None:
    """The format of a corpus by its name's ending; None if it is none by itself."""
    name = Path(path).name.lower()
    return next((found for ending, found in ENDINGS.items() if name.endswith(ending)), None)


def open_corpus(paths: Sequence[str], columns: Columns, given: CorpusFormat | None = None) -> Corpus:
    """Checks files to their ends, so that a run meets no damaged one in its middle.

    Args:
        paths: files, or patterns of them such as "data/*.jsonl.gz", whose files are taken in the order of their names.
        given: the format of all files; None takes it from their names.

    Raises:
        CorpusError: a file is damaged or truncated, lacks a column, is no regular file, or is given twice; a pattern
            fits no file.
        MissingExtra: Parquet needs a library that is not installed.
        OSError: a file cannot be read.
    """
    files = [file for path in paths for file in _files_of(path)]
    seen: dict[Path, Path] = {}
    for file in files:
        if (real := file.resolve()) in seen:
            raise CorpusError(f"{file} is given twice")
        seen[real] = file
    opened = [_open_file(file, columns, given) for file in files]
    return Corpus(tuple(source for source, _ in opened), tuple(table for _, table in opened))


def _files_of(path: str) -> list[Path]:
    if Path(path).exists() or not glob.has_magic(path):
        return [Path(path)]
    found = sorted(Path(each) for each in glob.glob(path, recursive=True))
    if not found:
        raise CorpusError(f"no file fits the pattern {path!r}")
    return found


def _open_file(path: Path, columns: Columns, given: CorpusFormat | None) -> tuple[Source, Table]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise CorpusError(f"{path} is no regular file: a run that goes on must read it again")
    found = given or format_of(str(path))
    if found is None:
        raise CorpusError(
            f"{path} is no corpus by its name, which ends in {', '.join(ENDINGS)}; --corpus gives a format"
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    table = _READERS[found](path, columns)
    return Source(path, status.st_size, digest, table.count_rows()), table
