"""Threads for work that would block the event loop: decoding pictures, tokenizing long texts, making large answers."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from regard_service.auth.caller import current_caller
from regard_service.calls.interpreter import interpreter_shared
from regard_service.calls.present import PresentCallers
from regard_service.engine.policy.caller_queue import RoundRobin
from regard_service.errors import Overloaded
from regard_service.pictures.abandoned import abandoned_when

T = TypeVar("T")

# Beside others a caller's functions run half of the time: after each, the next waits as long as it took, or so long.
MAX_REST_S = 0.05

# This part of the places is open only to callers who have few, so that one caller cannot keep all others out.
SHARED_FRACTION = 1 / 4


class _Item:
    """A function and the future of its result.

    A future of `concurrent.futures` and that of the event loop that waits for it refer to each other. So the result,
    megabytes of a picture, would stay until the garbage collector comes.
    """

    def __init__(self, caller: str, function: Callable[[], Any], done: "asyncio.Future[Any]") -> None:
        self.caller = caller
        self.function = function
        self.done = done

    def run(self) -> None:
        """Runs the function in a thread, if somebody waits for it."""
        if self.done.cancelled():
            return
        result, error = _outcome(self.function)
        with suppress(RuntimeError):  # the event loop has closed
            self.done.get_loop().call_soon_threadsafe(_tell, self.done, result, error)
        del self, result, error  # the frames of the error's traceback lead to this one


def _outcome(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Calls a function; returns its result or its error."""
    try:
        return function(), None
    except BaseException as error:
        return None, error


def _tell(done: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)


class BoundedThreadPool:
    """A few threads, in which callers take turns, and a bound on the work that waits for them.

    Args:
        max_waiting: functions that may run or wait, over all calls.
        present: the callers of the process, if other pools work for them too.
    """

    def __init__(self, num_threads: int, max_waiting: int, present: PresentCallers | None = None) -> None:
        self._threads = ThreadPoolExecutor(num_threads, thread_name_prefix="reading")
        self._num_threads = num_threads
        self._max_waiting = max(num_threads, max_waiting)
        self.present = present or PresentCallers()
        self._is_closed = False
        self._num_of: Counter[str] = Counter()  # functions that run or wait and count, by caller; of the event loop
        self._changed = threading.Condition()  # its lock guards what follows
        self._queue: RoundRobin[_Item] = RoundRobin()
        self._running: Counter[str] = Counter()
        self._rests: dict[str, float] = {}  # until when, by caller

    async def run(self, functions: Sequence[Callable[[], T]]) -> list[T]:
        """Runs functions in the threads. Cancelling the call drops the functions that wait, and tells those that run.

        Raises:
            Overloaded: the functions would exceed the bound.
        """
        caller = current_caller()
        self._check_room(caller, len(functions))
        self._num_of[caller] += len(functions)
        try:
            return await self.finish(functions)
        finally:
            self._num_of[caller] -= len(functions)
            if not self._num_of[caller]:
                del self._num_of[caller]

    async def finish(self, functions: Sequence[Callable[[], T]]) -> list[T]:
        """As `run`, for the last part of a call: what has been computed is not lost for want of room."""
        caller, has_left = current_caller(), threading.Event()

        def run(function: Callable[[], T]) -> T:
            with abandoned_when(lambda: has_left.is_set() or self._is_closed):
                return function()

        loop = asyncio.get_running_loop()
        items = [_Item(caller, partial(run, each), loop.create_future()) for each in functions]
        self.present.meet(caller)
        self._add(items)
        try:
            results: list[T] = await asyncio.gather(*(item.done for item in items))
            return results
        except BaseException:
            has_left.set()
            self._drop(items)
            raise

    def close(self) -> None:
        """Drops the waiting functions, and tells those that run."""
        self._is_closed = True
        with self._changed:
            self._changed.notify_all()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _add(self, items: Sequence[_Item]) -> None:
        with self._changed:
            for item in items:
                self._queue.push(item.caller, item)
            self._changed.notify_all()
        for _ in items:
            self._threads.submit(self._run_next)

    def _drop(self, items: list[_Item]) -> None:
        """Takes items out of the queue, and out of the list: the frame that holds it is in their error's traceback."""
        with self._changed:
            while items:
                item = items.pop()
                self._queue.remove(item.caller, item)

    def _run_next(self) -> None:
        """Runs functions until there is none that may run now."""
        while True:
            with self._changed:
                item = self._next()
                if item is None:
                    return
                self._running[item.caller] += 1
            rest_s = self._run(item)
            with self._changed:
                self._running[item.caller] -= 1
                if not self._running[item.caller]:
                    del self._running[item.caller]
                if rest_s:
                    self._rests[item.caller] = time.monotonic() + rest_s

    def _run(self, item: _Item) -> float:
        """Runs a function. Returns for how long its caller's next one waits."""
        if not self.present.has_others(item.caller):
            item.run()
            del item  # see `_Item.run`
            return 0.0
        began = time.monotonic()
        with interpreter_shared():
            item.run()
        del item  # see `_Item.run`
        return min(time.monotonic() - began, MAX_REST_S)

    def _next(self) -> _Item | None:
        """Takes the next function of a caller who does not have all the threads that he may have, and does not rest.

        Beside others he leaves one to them: threads that read hold the interpreter, for which the engine waits too.
        Where only callers who rest have functions, it waits with them.
        """
        limit = max(1, self._num_threads - 1) if self.present.has_several() else self._num_threads
        while True:
            full = {caller for caller, number in self._running.items() if number >= limit}
            now = time.monotonic()
            self._rests = {caller: until for caller, until in self._rests.items() if until > now}
            item = self._queue.pop_of_others(full | self._rests.keys())
            waiting = [until for caller, until in self._rests.items() if caller not in full and caller in self._queue]
            if item is not None or not waiting or self._is_closed:
                return item
            self._changed.wait(min(waiting) - now)

    def _check_room(self, caller: str, num_more: int) -> None:
        num_waiting = self._num_of.total()
        num_shared = int(self._max_waiting * SHARED_FRACTION)
        has_many = self._num_of[caller] + num_more > num_shared
        limit = self._max_waiting - (num_shared if has_many and num_waiting else 0)
        if num_waiting + num_more > limit:
            raise Overloaded(
                f"{num_waiting} inputs wait to be read and {num_more} more came; the limit is {limit}",
                retry_after_s=1.0,
            )
