"""Runs a corpus into a folder, and goes on where an earlier process ended."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from regard.bulk.corpus import Corpus
from regard.bulk.manifest import Manifest
from regard.bulk.rows import Row
from regard.bulk.shards import ShardCloser, ShardFolder, ShardFormat, ShardWriter
from regard.calls.mapping import CONCURRENCY, Batch, Outcome, in_flight, is_of_input

MAX_BATCH_CHARACTERS = 2**20  # in one call; a server takes messages of 32 MiB by default

OnCounted = Callable[[int, int], None]
"""Takes how many rows of the corpus are done, and how many rows have failed in this process."""

Done: TypeAlias = list[tuple[Row, Outcome]]


class Runner(Protocol):
    """What runs rows: a server, or engines of a cluster."""

    def outcomes(self, batch: Batch) -> list[Outcome]:
        """The results of rows, or their errors, in order; several threads call it at a time."""

    def precision_of(self, name: str, version: str) -> str:
        """The precision of a model that has answered."""

    def stop(self) -> None:
        """Ends calls that wait for something else than a result: the run is over."""


@dataclass(frozen=True)
class Job:
    """What to run, and where to.

    Attributes:
        folder: for the results.
        identity: the options of `runner`, as values of JSON; they must be the same for the run to go on.
        batch_size: rows of a call.
        concurrency: calls in flight.
    """

    corpus: Corpus
    folder: Path
    runner: Runner
    identity: Mapping[str, Any]
    shard_format: ShardFormat
    batch_size: int = 32
    concurrency: int = CONCURRENCY


@dataclass(frozen=True)
class Counts:
    """The rows of a finished run.

    Attributes:
        num_rows: of the corpus.
        reasons: how many rows are set aside, by reason.
    """

    num_rows: int
    reasons: Mapping[str, int]

    @property
    def num_failed(self) -> int:
        """Rows that are set aside."""
        return sum(self.reasons.values())

    def to_dict(self) -> dict[str, Any]:
        """The counts as a JSON object."""
        written = self.num_rows - self.num_failed
        return {"rows": self.num_rows, "written": written, "failed": self.num_failed, "reasons": dict(self.reasons)}


def run(job: Job, on_progress: OnCounted | None = None) -> Counts:
    """Runs the rows whose shards are not done, and writes their shards in order.

    A row that cannot be run is set aside with its error. An error that is not the row's own ends the run: no server
    for too long, a token that is refused, no such model, another version of the model.

    Raises:
        CorpusError: the folder is of another run, or in use; a file of the corpus has changed; another version of a
            model answers than before.
        CallError: a call failed for a reason that is not one row's own.
        OSError: the folder cannot be written.
    """
    folder = ShardFolder(job.folder, job.shard_format)
    manifest = Manifest(job.identity, job.corpus.sources)
    with folder.locked():
        manifest.go_on(folder.path)
        manifest.write(folder.path)
        _run_batches(job, folder, manifest, on_progress or (lambda *_: None))
        counts = Counts(job.corpus.num_rows, folder.reasons())
        manifest.counts = counts.to_dict()
        manifest.write(folder.path)
    return counts


def _run_batches(job: Job, folder: ShardFolder, manifest: Manifest, on_progress: OnCounted) -> None:
    progress = _Progress(on_progress)
    with (
        ShardCloser(folder) as closer,
        closing(job.corpus.rows()) as rows,
        closing(in_flight(_batches(rows, job, folder, progress), partial(_done, job.runner), job.concurrency)) as done,
    ):
        try:
            for shard, of_shard in itertools.groupby(done, key=lambda batch: folder.shard_of(batch[0][0].index)):
                with ExitStack() as stack:
                    writer = stack.enter_context(ShardWriter(folder.path, shard, job.shard_format))
                    for row, outcome in itertools.chain.from_iterable(of_shard):
                        _check(outcome, job, manifest)
                        writer.write(row, outcome)
                        progress.count(outcome.error is not None)
                    closer.wait()
                    closer.close(shard, stack.pop_all())
        finally:
            job.runner.stop()


def _batches(rows: Iterable[Row], job: Job, folder: ShardFolder, progress: "_Progress") -> Iterator[list[Row]]:
    """The rows of the shards that are not done, a call's at a time; no batch has rows of two shards."""
    batch: list[Row] = []
    num_characters = 0
    for row in rows:
        if folder.shard_of(row.index) in folder.done:
            progress.skip()
            continue
        is_full = len(batch) == job.batch_size or num_characters + len(row.value) > MAX_BATCH_CHARACTERS
        if batch and (is_full or folder.shard_of(batch[0].index) != folder.shard_of(row.index)):
            yield batch
            batch, num_characters = [], 0
        batch.append(row)
        num_characters += len(row.value)
    if batch:
        yield batch


def _done(runner: Runner, batch: list[Row]) -> Done:
    """Runs the rows of a batch that can be run; the others keep their errors."""
    good = [(row.index, row.value) for row in batch if row.error is None]
    outcomes = {outcome.index: outcome for outcome in runner.outcomes(good)} if good else {}
    return [(row, _outcome(row, outcomes.get(row.index))) for row in batch]


def _outcome(row: Row, found: Outcome | None) -> Outcome:
    result = None if found is None else found.result
    error = row.error if found is None else found.error
    return Outcome(row.index, row.value, result, error, row.custom_id)


def _check(outcome: Outcome, job: Job, manifest: Manifest) -> None:
    """Raises an error that is not the row's own, and one if the model is another version than before."""
    if outcome.error is not None and not is_of_input(outcome.error):
        raise outcome.error
    result = outcome.result
    if result is not None and result.model and manifest.check_model(result.model, result.model_version):
        precision = job.runner.precision_of(result.model, result.model_version)
        manifest.models[result.model] = {"version": result.model_version, "precision": precision}
        manifest.write(job.folder)


class _Progress:
    def __init__(self, on_progress: OnCounted) -> None:
        self._on_progress = on_progress
        self._num_done = self._num_failed = 0

    def skip(self) -> None:
        """Counts a row that an earlier process has done."""
        self._num_done += 1

    def count(self, is_failed: bool) -> None:
        """Counts a row, and reports."""
        self._num_done += 1
        self._num_failed += is_failed
        self._on_progress(self._num_done, self._num_failed)
