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
from regard.errors import BadResponse, MissingExtra
from regard.errors.as_json import read_error
from regard.saved.rows import message_of


def read_results(path: str | PathLike[str]) -> Iterator[Outcome]:
    """Yields what `ResultWriter`, or `regard translate ... -o FILE`, wrote; also the lines of `--jsonl`.

    Results have everything that the server sent, maps included. Bytes and pixels that were inputs are "".

    Raises:
        ValueError: the ending is none of .jsonl, .parquet and .npz.
        BadResponse: the file is not one of results.
        MissingExtra: the format needs a library that is not installed.
    """
    readers = {".jsonl": _read_lines, ".parquet": _read_parquet, ".npz": _read_arrays}
    ending = Path(path).suffix.lower()
    if ending not in readers:
        raise ValueError(f"files of results end in {', '.join(readers)}; it is {str(path)!r}")
    return readers[ending](Path(path))


def _read_lines(path: Path) -> Iterator[Outcome]:
    with path.open(encoding="utf-8") as file:
        for position, line in enumerate(file):
            value = json.loads(line)
            index, given = value.get("index", position), value.get("input", "")
            if "error" in value:
                yield Outcome(index, given, error=read_error(value["error"]))
            else:
                yield Outcome(index, given, Result.from_json(value))


def _read_parquet(path: Path) -> Iterator[Outcome]:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingExtra("reading Parquet", "data", error.name) from None
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["index", "input", "error", "message"]):
            for row in batch.to_pylist():
                yield _outcome(row["index"], row["input"], row["error"] or "", row["message"])


def _read_arrays(path: Path) -> Iterator[Outcome]:
    with np.load(path, allow_pickle=False) as arrays:
        content, ends = arrays["messages"].tobytes(), arrays["message_ends"].tolist()
        rows = zip(arrays["index"].tolist(), arrays["input"].tolist(), arrays["error"].tolist(), ends, strict=True)
        begin = 0
        for index, given, error, end in rows:
            yield _outcome(index, given, error, content[begin:end])
            begin = end


def _outcome(index: int, given: str, error: str, message: Any) -> Outcome:
    if error:
        return Outcome(index, given, error=read_error(json.loads(error)))
    try:
        return Outcome(index, given, Result.from_message(message_of(message)))
    except DecodeError:
        raise BadResponse(f"row {index} is no result") from None
