"""Samples a server's process while a load runs."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.harness.process import num_open_files, resident_mb, thread_names


@dataclass(frozen=True)
class Sample:
    """The state of a process at one time.

    Attributes:
        at_s: time since the watch began.
        threads: number of threads by name.
    """

    at_s: float
    resident_mb: float
    num_open_files: int
    threads: Mapping[str, int]


@asynccontextmanager
async def watching(process_id: int, interval_s: float) -> AsyncIterator[list[Sample]]:
    """Yields a list to which a sample is appended every `interval_s` seconds within the context.

    Raises:
        RuntimeError: the process has ended, or the system has no /proc.
    """
    samples: list[Sample] = []
    task = asyncio.create_task(_watch(process_id, interval_s, samples))
    try:
        yield samples
    finally:
        task.cancel()
        (error,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(error, Exception):  # CancelledError is a BaseException
        raise error


async def _watch(process_id: int, interval_s: float, samples: list[Sample]) -> None:
    begin = time.perf_counter()
    while True:
        memory, files, threads = resident_mb(process_id), num_open_files(process_id), thread_names(process_id)
        if memory is None or files is None or threads is None:
            raise RuntimeError(f"the system reports nothing about process {process_id}")
        now = time.perf_counter() - begin
        samples.append(Sample(round(now, 2), round(memory, 2), files, Counter(threads)))
        await asyncio.sleep(interval_s - now % interval_s)
