"""Writes results to a file as they arrive. The file gets its name when it is whole."""

import errno
import io
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from regard.calls.mapping import Outcome
from regard.calls.results import Result
from regard.errors.as_json import error_object
from regard.names import MapEncoding
from regard.saved.alignments import AlignmentFormat
from regard.saved.arrow import import_arrow
from regard.saved.durable import named, partial_of, publish
from regard.saved.rows import Row, alignment_of, row_of, shown_input
from regard.wire import as_json

ROWS_OF_A_GROUP = 256  # of a Parquet file; as many wait in memory


class _Format(Protocol):
    def write(self, outcome: Outcome) -> None:
        """Writes an outcome."""

    def close(self) -> None:
        """Writes what is left."""


class ResultWriter:
    """Writes outcomes to a file whose ending names the format: .jsonl, .parquet or .npz.

    Example:
        with regard.ResultWriter("maps.parquet") as writer:
            for outcome in client.map(texts, "de", attention=True):
                writer.write(outcome)

    An error inside `with` leaves no file, and an older one of that name as it was.
    """

    def __init__(self, path: str | PathLike[str], *, encoding: MapEncoding = "float32", top_k: int = 0) -> None:
        """Opens the file.

        Args:
            encoding: the type of the numbers in Parquet's column `alignment`; of "uint8" a weight is the number times
                the row's `alignment_scale`.
            top_k: how many weights of each target position Parquet's column `alignment` has, the largest, with their
                source positions in `alignment_indices`; 0 is all.

        Raises:
            ValueError: the ending is another.
            MissingExtra: the format needs a library that is not installed.
            OSError: the file cannot be written.
        """
        self._path = Path(path)
        if self._path.suffix.lower() not in ENDINGS:
            raise ValueError(f"results are written to files that end in {', '.join(ENDINGS)}; it is {str(path)!r}")
        if not self._path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(self._path.parent))
        self._partial = partial_of(self._path)
        make = ENDINGS[self._path.suffix.lower()]
        alignments = AlignmentFormat(encoding, top_k)
        try:
            self._format = _Parquet(self._partial, alignments) if make is _Parquet else make(self._partial)
        except OSError as error:
            self._partial.unlink(missing_ok=True)
            raise named(error, self._path) from error

    def write(self, outcome: Outcome | Result) -> None:
        """Writes an outcome of `map`, or a result. Raises OSError if the disk is full."""
        try:
            self._format.write(outcome if isinstance(outcome, Outcome) else Outcome(0, "", outcome))
        except OSError as error:
            raise named(error, self._path) from error

    def close(self) -> None:
        """Finishes the file and gives it its name. Raises OSError, and leaves no file, if it cannot be written."""
        try:
            self._format.close()
            publish(self._path)
        except OSError as error:
            self._partial.unlink(missing_ok=True)
            raise named(error, self._path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with suppress(OSError, ValueError):
            self._format.close()
        self._partial.unlink(missing_ok=True)


def write_results(outcomes: Iterable[Outcome | Result], path: str | PathLike[str]) -> int:
    """Writes outcomes of `map`, or results, to a file by its ending; returns how many failed. Raises like it."""
    num_failed = 0
    with ResultWriter(path) as writer:
        for position, each in enumerate(outcomes):
            outcome = each if isinstance(each, Outcome) else Outcome(position, "", each)
            num_failed += outcome.result is None
            writer.write(outcome)
    return num_failed


class _JsonLines:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def write(self, outcome: Outcome) -> None:
        head: dict[str, Any] = {"index": outcome.index, "input": shown_input(outcome.input)}
        if outcome.custom_id is not None:
            head["custom_id"] = outcome.custom_id
        if outcome.result is None:
            content = {"error": error_object(outcome.error or ValueError("no result"))}
        else:
            content = outcome.result.to_dict()
        self._file.write(as_json.dump(head | content) + "\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, alignments: AlignmentFormat | None = None) -> None:
        self._arrow = pyarrow = import_arrow("writing Parquet")
        self._alignments = alignments or AlignmentFormat()
        text, numbers = pyarrow.string(), pyarrow.list_(pyarrow.float32())
        weights = {"float32": pyarrow.float32(), "float16": pyarrow.float16(), "uint8": pyarrow.uint8()}
        of_alignments = {
            "alignment": pyarrow.list_(pyarrow.list_(weights[self._alignments.encoding])),
            "alignment_indices": pyarrow.list_(pyarrow.list_(pyarrow.uint16())),
            "alignment_scale": pyarrow.float32(),
        }
        columns = {
            "index": pyarrow.int64(),
            "custom_id": text,
            "input": text,
            "error": text,
            "text": text,
            "score": pyarrow.float32(),
            "model": text,
            "source_tokens": pyarrow.list_(text),
            "tokens": pyarrow.list_(text),
            "pharaoh": text,
            "entropy": numbers,
            **{name: of_alignments[name] for name in self._alignments.columns},
            "message": pyarrow.binary(),
        }
        self._schema = pyarrow.schema(list(columns.items()))
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def write(self, outcome: Outcome) -> None:
        self._rows.append(row_of(outcome) | self._alignments.cells(alignment_of(outcome)))
        if len(self._rows) >= ROWS_OF_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._arrow.Table.from_pylist(self._rows, self._schema))
        self._rows.clear()

    def close(self) -> None:
        if self._rows:
            self._flush()
        self._writer.close()


class _Arrays:
    """A .npz file: `alignment_N` for each index N that has one, and one array a column."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
        self._columns: dict[str, list[Any]] = {name: [] for name in COLUMNS_OF_ARRAYS}
        self._messages: list[bytes] = []

    def write(self, outcome: Outcome) -> None:
        row = row_of(outcome)
        alignment = alignment_of(outcome)
        if alignment is not None:
            self._add(f"alignment_{outcome.index}", alignment.values)
        for name, values in self._columns.items():
            values.append(row[name])
        self._messages.append(row["message"])

    def close(self) -> None:
        with self._archive:
            self._add("index", np.array(self._columns.pop("index"), np.int64))
            self._add("score", np.array([np.nan if s is None else s for s in self._columns.pop("score")], np.float32))
            for name, texts in self._columns.items():
                self._add(name, np.array([text or "" for text in texts], np.str_))
            self._add("messages", np.frombuffer(b"".join(self._messages), np.uint8))
            self._add("message_ends", np.cumsum([len(message) for message in self._messages], dtype=np.int64))

    def _add(self, name: str, values: Any) -> None:
        content = io.BytesIO()
        np.lib.format.write_array(content, np.ascontiguousarray(values), allow_pickle=False)
        self._archive.writestr(f"{name}.npy", content.getvalue())


COLUMNS_OF_ARRAYS = ("index", "score", "custom_id", "input", "error", "text", "model", "pharaoh")

ENDINGS: dict[str, Callable[[Path], _Format]] = {".jsonl": _JsonLines, ".parquet": _Parquet, ".npz": _Arrays}
