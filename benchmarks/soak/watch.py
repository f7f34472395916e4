"""Looks at a server's process while a load runs."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.harness.process import num_open_files, resident_mb, thread_names


@dataclass(frozen=True)
class Sample:
    """A process at one moment.

    Attributes:
        at_s: since the watch began.
        threads: how many have a name, by name.
    """

    at_s: float
    resident_mb: float
    num_open_files: int
    threads: Mapping[str, int]


@asynccontextmanager
async def watching(process_id: int, interval_s: float) -> AsyncIterator[list[Sample]]:
    """Yields a list that gets a sample every so many seconds, until the block ends.

    Raises:
        RuntimeError: the system does not tell, or the process is gone.
    """
    samples: list[Sample] = []
    task = asyncio.create_task(_watch(process_id, interval_s, samples))
    try:
        yield samples
    finally:
        task.cancel()
        (error,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(error, Exception):  # it was not only cancelled
        raise error


async def _watch(process_id: int, interval_s: float, samples: list[Sample]) -> None:
    begin = time.perf_counter()
    while True:
        memory, files, threads = resident_mb(process_id), num_open_files(process_id), thread_names(process_id)
        if memory is None or files is None or threads is None:
            raise RuntimeError(f"the system tells nothing about process {process_id}")
        now = time.perf_counter() - begin
        samples.append(Sample(round(now, 2), round(memory, 2), files, Counter(threads)))
        await asyncio.sleep(interval_s - now % interval_s)
