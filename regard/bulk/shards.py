"""The folder of a run: a file of results for each range of rows, which appears when it is whole."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from regard.bulk.rows import CorpusError, Row
from regard.calls.mapping import Outcome
from regard.errors.as_json import error_object
from regard.names import MapEncoding
from regard.saved import ResultWriter
from regard.saved.durable import named, partial_of, publish
from regard.saved.folders import MANIFEST, failed_name, part_name, parts_of
from regard.saved.rows import shown_input
from regard.wire import as_json

_LOCK = ".lock"


@dataclass(frozen=True)
class ShardFormat:
    """How results are stored.

    Attributes:
        ending: ".parquet" or ".jsonl".
        num_rows: rows of the corpus that a file covers.
        encoding, top_k: of the column `alignment`, as `ResultWriter` has them.
    """

    ending: str = ".parquet"
    num_rows: int = 10_000
    encoding: MapEncoding = "float32"
    top_k: int = 0


class ShardFolder:
    """The folder's files. A shard is done when its file of results has its name; its failed rows have theirs before.

    Attributes:
        path: the folder.
        done: the numbers of the shards that are done.
    """

    def __init__(self, path: Path, shard_format: ShardFormat) -> None:
        self.path = path
        self.format = shard_format
        self.done: set[int] = set()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder if there is none, and keeps other runs out of it; a killed process keeps nobody out.

        Raises:
            CorpusError: another process runs in the folder, or it has files and no manifest.
            OSError: the folder cannot be made or written.
        """
        import fcntl  # which Windows lacks

        self.path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CorpusError(f"another process runs in {self.path}") from None
            self._look()
            yield
        finally:
            os.close(descriptor)

    def _look(self) -> None:
        """Deletes what a killed process left half written, and finds what is done."""
        manifest = self.path / MANIFEST
        own = {_LOCK, partial_of(manifest).name}  # all that a process leaves which is killed at once
        if not manifest.exists() and any(each.name not in own for each in self.path.iterdir()):
            raise CorpusError(f"{self.path} has files, and no {MANIFEST} of a run; -o takes an empty folder")
        for partial in self.path.glob(".*.partial"):
            partial.unlink()
        self.done = set(parts_of(self.path))

    def shard_of(self, index: int) -> int:
        """The number of the shard that a row belongs to."""
        return index // self.format.num_rows

    def reasons(self) -> Counter[str]:
        """How many rows of all shards failed, by the reason of their error."""
        found: Counter[str] = Counter()
        for number in sorted(self.done):
            path = self.path / failed_name(number)
            if path.exists():
                with path.open(encoding="utf-8") as file:
                    found.update(reason_of(json.loads(line)["error"]) for line in file)
        return found


def reason_of(error: dict[str, Any]) -> str:
    """The reason of an error's JSON object; its code if the server gave none."""
    return str(error["reason"] or error["code"])


class ShardWriter:
    """Writes the outcomes of one shard, in the order of their rows; an error inside `with` leaves no file."""

    def __init__(self, folder: Path, number: int, shard_format: ShardFormat) -> None:
        """Opens the shard's files, under names that nobody reads.

        Raises:
            MissingExtra: the format needs a library that is not installed.
            OSError: the folder cannot be written.
        """
        self._failed_path = folder / failed_name(number)
        self._results = ResultWriter(
            folder / part_name(number, shard_format.ending), encoding=shard_format.encoding, top_k=shard_format.top_k
        )
        self._num_failed = 0
        try:
            self._failed = partial_of(self._failed_path).open("w", encoding="utf-8")
        except OSError as error:
            self._results.__exit__(OSError, error, None)
            raise

    def write(self, row: Row, outcome: Outcome) -> None:
        """Writes the outcome of a row."""
        if outcome.error is None:
            self._results.write(outcome)
            return
        line = {
            "index": outcome.index,
            "custom_id": outcome.custom_id,
            "input": shown_input(outcome.input),
            "file": row.file,
            "row": row.number,
            "error": error_object(outcome.error),
        }
        self._failed.write(as_json.dump(line) + "\n")
        self._num_failed += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close_failed(is_whole=kind is None)
        except OSError as problem:
            partial_of(self._failed_path).unlink(missing_ok=True)
            self._results.__exit__(OSError, problem, None)
            raise named(problem, self._failed_path) from problem
        self._results.__exit__(kind, error, trace)

    def _close_failed(self, *, is_whole: bool) -> None:
        self._failed.close()
        if is_whole and self._num_failed:
            publish(self._failed_path)
        else:
            partial_of(self._failed_path).unlink()
        if is_whole and not self._num_failed:  # a process that was killed here may have left one
            self._failed_path.unlink(missing_ok=True)


class ShardCloser:
    """Finishes shards in a thread: the disk takes its time until bytes are on it, in which the next rows can run.

    One waits at a time; the block ends when all are finished.
    """

    def __init__(self, folder: ShardFolder) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="regard-shards")
        self._closing: Future[None] | None = None

    def close(self, number: int, files: ExitStack) -> None:
        """Closes the files of a shard, which is done then; `wait` comes before."""
        self._closing = self._thread.submit(self._close, number, files)

    def _close(self, number: int, files: ExitStack) -> None:
        files.close()
        self._folder.done.add(number)

    def wait(self) -> None:
        """Returns when the last shard is done. Raises OSError if its files cannot be written."""
        closing, self._closing = self._closing, None
        if closing is not None:
            closing.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if kind is None:
            self.wait()
