"""Threads for work that would block the event loop: decoding pictures, tokenizing long texts, running trace graphs."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from regard_service.errors import Overloaded
from regard_service.pictures.abandoned import abandoned_when

T = TypeVar("T")


class BoundedThreadPool:
    """A few threads, and a bound on the work that waits for them.

    Args:
        max_waiting: functions that may run or wait, over all calls.
    """

    def __init__(self, num_threads: int, max_waiting: int) -> None:
        self._threads = ThreadPoolExecutor(num_threads, thread_name_prefix="reading")
        self._max_waiting = max(num_threads, max_waiting)
        self._num_waiting = 0

    async def run(self, functions: Sequence[Callable[[], T]]) -> list[T]:
        """Runs functions in the threads. Cancelling the call drops the functions that wait, and tells those that run.

        Raises:
            Overloaded: the functions would exceed the bound.
        """
        if self._num_waiting + len(functions) > self._max_waiting:
            raise Overloaded(
                f"{self._num_waiting} inputs wait to be read and {len(functions)} more came; "
                f"the limit is {self._max_waiting}",
                retry_after_s=1.0,
            )
        loop = asyncio.get_running_loop()
        self._num_waiting += len(functions)
        has_left = threading.Event()

        def run(function: Callable[[], T]) -> T:
            with abandoned_when(has_left.is_set):
                return function()

        try:
            return await asyncio.gather(*(loop.run_in_executor(self._threads, run, each) for each in functions))
        finally:
            has_left.set()
            self._num_waiting -= len(functions)

    def close(self) -> None:
        """Drops the waiting functions; running ones finish."""
        self._threads.shutdown(wait=False, cancel_futures=True)
