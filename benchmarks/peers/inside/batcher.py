"""The dynamic batcher that users of a static engine write: waits a few milliseconds, then runs a batch."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Run = Callable[[Sequence[Any]], list[Any]]


class Batcher:
    """Collects single calls into batches; while all workers are busy, a batch grows up to `max_batch`.

    Args:
        run: computes the results of a batch; runs in a thread.
        num_workers: maximum number of concurrent batches.
        delay_s: maximum time that a batch waits for further calls.
    """

    def __init__(self, run: Run, *, max_batch: int, num_workers: int, delay_s: float) -> None:
        self._run = run
        self._max_batch = max_batch
        self._delay_s = delay_s
        self._waiting: asyncio.Queue[tuple[Any, asyncio.Future[Any]]] = asyncio.Queue()
        self._free = asyncio.Semaphore(num_workers)
        self._threads = ThreadPoolExecutor(num_workers)
        self._running: set[asyncio.Task[None]] = set()
        self._collecting = asyncio.create_task(self._collect())

    async def submit(self, item: Any) -> Any:
        """Queues one item and waits for its result."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((item, future))
        return await future

    async def _collect(self) -> None:
        while True:
            await self._free.acquire()
            batch = [await self._waiting.get()]
            await self._fill(batch)
            task = asyncio.create_task(self._answer(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _fill(self, batch: list[tuple[Any, asyncio.Future[Any]]]) -> None:
        try:
            async with asyncio.timeout(self._delay_s):
                while len(batch) < self._max_batch:
                    batch.append(await self._waiting.get())
        except TimeoutError:
            while len(batch) < self._max_batch and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())

    async def _answer(self, batch: Sequence[tuple[Any, asyncio.Future[Any]]]) -> None:
        items, futures = zip(*batch, strict=True)
        try:
            results = await asyncio.get_running_loop().run_in_executor(self._threads, self._run, items)
            for future, result in zip(futures, results, strict=True):
                if not future.cancelled():
                    future.set_result(result)
        except Exception as error:
            for future in futures:
                if not future.done():
                    future.set_exception(error)
        finally:
            self._free.release()
