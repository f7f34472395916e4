"""Reads files of results."""

import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from regard.calls.mapping import Outcome
from regard.calls.results import Result
from regard.errors import BadResponse
from regard.errors.as_json import read_error
from regard.saved.arrow import import_arrow
from regard.saved.folders import read_folder
from regard.saved.rows import message_of

_ROWS_AT_A_TIME = 256  # of a Parquet file, in memory


def read_results(path: str | PathLike[str]) -> Iterator[Outcome]:
    """Yields what `ResultWriter`, or `regard translate ... -o PATH`, wrote; also the lines of `--jsonl`.

    Of a folder, which a corpus is written to, it yields the outcomes of all its files in the order of the corpus.
    Results have everything that the server sent, maps included. Bytes and pixels that were inputs are "".

    Raises:
        ValueError: the ending is none of .jsonl, .parquet and .npz, or no run wrote the folder.
        BadResponse: the file is not one of results.
        MissingExtra: the format needs a library that is not installed.
    """
    if Path(path).is_dir():
        return read_folder(Path(path), read_results)
    readers = {".jsonl": _read_lines, ".parquet": _read_parquet, ".npz": _read_arrays}
    ending = Path(path).suffix.lower()
    if ending not in readers:
        raise ValueError(f"files of results end in {', '.join(readers)}; it is {str(path)!r}")
    return readers[ending](Path(path))


def _read_lines(path: Path) -> Iterator[Outcome]:
    with path.open(encoding="utf-8") as file:
        for position, line in enumerate(file):
            value = json.loads(line)
            index, given, name = value.get("index", position), value.get("input", ""), value.get("custom_id")
            if "error" in value:
                yield Outcome(index, given, error=read_error(value["error"]), custom_id=name)
            else:
                yield Outcome(index, given, Result.from_json(value), custom_id=name)


def _read_parquet(path: Path) -> Iterator[Outcome]:
    with import_arrow("reading Parquet").parquet.ParquetFile(path) as file:
        present = file.schema_arrow.names  # a file of an earlier version has no names of rows
        columns = [name for name in ("index", "custom_id", "input", "error", "message") if name in present]
        for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=columns):
            for row in batch.to_pylist():
                yield _outcome(row["index"], row["input"], row["error"] or "", row["message"], row.get("custom_id"))


def _read_arrays(path: Path) -> Iterator[Outcome]:
    with np.load(path, allow_pickle=False) as arrays:
        content, ends = arrays["messages"].tobytes(), arrays["message_ends"].tolist()
        indices, inputs, errors = (arrays[name].tolist() for name in ("index", "input", "error"))
        names = arrays["custom_id"].tolist() if "custom_id" in arrays else [""] * len(indices)
        begin = 0
        for index, given, error, end, name in zip(indices, inputs, errors, ends, names, strict=True):
            yield _outcome(index, given, error, content[begin:end], name or None)
            begin = end


def _outcome(index: int, given: str, error: str, message: Any, custom_id: str | None) -> Outcome:
    if error:
        return Outcome(index, given, error=read_error(json.loads(error)), custom_id=custom_id)
    try:
        return Outcome(index, given, Result.from_message(message_of(message)), custom_id=custom_id)
    except DecodeError:
        raise BadResponse(f"row {index} is no result") from None
