"""Runs a corpus in its own process, whose memory is measured: reads a `Work` as JSON, writes `Ran`."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

import regard
from benchmarks.bulk import full_batches
from benchmarks.harness.process import resident_mb
from benchmarks.serving.sentences import SENTENCES
from regard.bulk.corpus import open_corpus
from regard.bulk.patience import ServerRunner
from regard.bulk.rows import Columns
from regard.bulk.running import Job, run
from regard.bulk.shards import ShardFormat

TIMEOUT_S = 600.0
SAMPLE_S = 0.5
NUM_SAMPLES = 12

How = Literal["corpus", "map", "map_with_alignment", "full_batches"]


class Work(BaseModel):
    """What to run.

    Attributes:
        how: "corpus" into files, or as many sentences without files: by `client.map`, results dropped; by `client.map`
            with the alignment, whose weights are read; or in full batches with the alignment, answers left unread.
        corpus: the file, if it is one.
        num_rows: of the corpus.
        shard_rows: rows of a file of results.
        server_pid: of the server, whose memory is sampled beside that of this process; None takes no samples.
    """

    model_config = ConfigDict(frozen=True)

    target: str
    model: str
    language: str
    how: How
    corpus: Path | None = None
    num_rows: int
    shard_rows: int = 2_000
    server_pid: int | None = None


class MemorySample(BaseModel):
    """Resident memory in MB (10^6 bytes), `seconds` after the start of the run."""

    model_config = ConfigDict(frozen=True)

    seconds: float
    client_mb: float
    server_mb: float


class Ran(BaseModel):
    """What a run took.

    Attributes:
        seconds: from the start of the run to its end, with the reading of the corpus, without that of Python.
        peak_mb: most resident memory of the process, in MB (10^6 bytes).
        samples: of memory, at even distances.
    """

    model_config = ConfigDict(frozen=True)

    seconds: float
    peak_mb: float
    samples: tuple[MemorySample, ...] = ()


class Sampler:
    """Samples memory in a thread of its own, until the block ends."""

    def __init__(self, server_pid: int | None) -> None:
        self._server_pid = server_pid
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.samples: list[MemorySample] = []

    def __enter__(self) -> Self:
        if self._server_pid is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._server_pid is not None:
            self._thread.join()

    def _run(self) -> None:
        begin = time.perf_counter()
        while not self._is_over.wait(SAMPLE_S):
            client, server = (resident_mb(each) or 0.0 for each in (os.getpid(), self._server_pid or 0))
            seconds = round(time.perf_counter() - begin, 1)
            self.samples.append(MemorySample(seconds=seconds, client_mb=round(client, 1), server_mb=round(server, 1)))


def thinned(samples: Sequence[MemorySample]) -> tuple[MemorySample, ...]:
    """Returns about `NUM_SAMPLES` of the samples, at even distances, the last among them."""
    step = max(1, len(samples) // NUM_SAMPLES)
    return tuple(samples[len(samples) - 1 :: -step][::-1])


def sentences(num_rows: int) -> Iterator[str]:
    """Yields `num_rows` sentences, from a fixed list that starts again at its end."""
    return (SENTENCES[number % len(SENTENCES)] for number in range(num_rows))


def work_of(work: Work) -> Callable[[], int]:
    """The function that runs it, and returns how many rows failed."""
    client = regard.Client(work.target, timeout=TIMEOUT_S)
    texts = sentences(work.num_rows)
    if work.how == "full_batches":
        return full_batches.run(work.target, work.model, work.language, list(texts), TIMEOUT_S)
    if work.how != "corpus" or work.corpus is None:
        attention = work.how == "map_with_alignment"
        mapped = client.map(texts, work.language, model=work.model, attention=attention)
        return lambda: sum(not _is_read(outcome, attention) for outcome in mapped)
    path = work.corpus

    def run_corpus() -> int:
        runner = ServerRunner(
            lambda texts: client.translate(texts, work.language, model=work.model, priority="bulk"),
            lambda name, version: client.model(name, version).precision,
        )
        corpus = open_corpus([str(path)], Columns())
        shards = ShardFormat(num_rows=work.shard_rows)
        return run(Job(corpus, path.with_suffix(".out"), runner, {}, shards)).num_failed

    return run_corpus


def _is_read(outcome: regard.Outcome, attention: bool) -> bool:
    """Whether the outcome has a result, and where the call asks for it an alignment, whose weights are decoded here."""
    if outcome.result is None:
        return False
    return not attention or (outcome.result.alignment is not None and outcome.result.alignment.values.size > 0)


def main() -> None:
    """Runs the work of standard input."""
    work = Work.model_validate_json(sys.stdin.read())
    function = work_of(work)
    with Sampler(work.server_pid) as sampler:
        begin = time.perf_counter()
        num_failed = function()
        seconds = time.perf_counter() - begin
    if num_failed:
        sys.exit(f"{num_failed} rows failed")
    ran = Ran(seconds=seconds, peak_mb=round(_peak_mb(), 1), samples=thinned(sampler.samples))
    print(ran.model_dump_json())


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
