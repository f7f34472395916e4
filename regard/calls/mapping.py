"""Any number of inputs: batches of them in flight, errors by the input, memory for a few batches only."""

import asyncio
import itertools
import numbers
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

from regard.calls.requests import checked_several
from regard.calls.results import Result
from regard.errors import InvalidArgument, Overloaded, RegardError, ServerFault
from regard.names import Task

# Texts of a call, and calls in flight: together more than a server's slots, so that none is ever free.
BATCH_SIZES: Mapping[Task, int] = {"translation": 32, "summarization": 32, "captioning": 4}
CONCURRENCY = 4
MAX_RETRIES = 100
MAX_PAUSE_S = 10.0

R = TypeVar("R")
B = TypeVar("B")

OnMapped = Callable[[int, int], None]
"""Takes how many inputs are done, and how many of them failed."""

Call = Callable[[list[Any]], list[Result]]
AsyncCall = Callable[[list[Any]], Awaitable[list[Result]]]
Batch = list[tuple[int, Any]]


@dataclass(frozen=True)
class Outcome:
    """What one of many inputs became: a result, or the error that it failed with.

    Attributes:
        index: the input's position, from 0.
        input: as it was given.
        result: None if it failed.
        error: None if it did not.
        custom_id: the name that a corpus gives to the input; None if it gives none.
    """

    index: int
    input: Any
    result: Result | None = None
    error: Exception | None = None
    custom_id: str | None = None

    def unwrap(self) -> Result:
        """The result. Raises the error if the input failed."""
        if self.result is None:
            raise self.error or ValueError("the outcome has neither result nor error")
        return self.result


def batches_of(inputs: Iterable[Any], size: int) -> Iterator[Batch]:
    """The inputs with their positions, `size` at a time; reads ahead no further than one batch."""
    several = checked_several(inputs, "map takes a list of inputs, or another iterable")
    return _batches(enumerate(several), _checked("batch_size", size))


def _batches(numbered: Iterator[tuple[int, Any]], size: int) -> Iterator[Batch]:
    while batch := list(itertools.islice(numbered, size)):
        yield batch


def run(
    batches: Iterable[Batch], call: Call, concurrency: int, is_ordered: bool, on_progress: OnMapped | None
) -> Iterator[Outcome]:
    """Yields the outcomes of all inputs, at most `concurrency` calls in flight; ordered, or as batches complete."""
    progress = _Progress(on_progress)
    for outcomes in in_flight(batches, lambda batch: outcomes_of(batch, call), concurrency, is_ordered):
        for outcome in outcomes:
            progress.count(outcome)
            yield outcome


def in_flight(
    batches: Iterable[B], work: Callable[[B], R], concurrency: int, is_ordered: bool = True
) -> Generator[R, None, None]:
    """Yields `work` of each batch, at most `concurrency` at a time; in the batches' order, or as they complete.

    Reads batches as results leave, and no more than twice `concurrency` ahead of them.
    """
    concurrency = _checked("concurrency", concurrency)
    waiting: deque[Future[R]] = deque()
    batches = iter(batches)
    with ThreadPoolExecutor(concurrency, thread_name_prefix="regard-map") as pool:
        try:
            while True:
                # More batches than calls wait, so that a thread finds its next one at once.
                for batch in itertools.islice(batches, max(0, 2 * concurrency - len(waiting))):
                    waiting.append(pool.submit(work, batch))
                if not waiting:
                    return
                if not is_ordered:
                    _move_done_first(waiting)
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


async def run_async(
    batches: Iterable[Batch], call: AsyncCall, concurrency: int, is_ordered: bool, on_progress: OnMapped | None
) -> AsyncIterator[Outcome]:
    """As `run`, in an event loop."""
    permits = asyncio.Semaphore(_checked("concurrency", concurrency))
    waiting: deque[asyncio.Task[list[Outcome]]] = deque()
    batches = iter(batches)
    progress = _Progress(on_progress)

    async def limited(batch: Batch) -> list[Outcome]:
        async with permits:
            return await _outcomes_async(batch, call)

    try:
        while True:
            for batch in itertools.islice(batches, max(0, 2 * concurrency - len(waiting))):
                waiting.append(asyncio.create_task(limited(batch)))
            if not waiting:
                return
            if not is_ordered:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                waiting = deque(sorted(waiting, key=lambda task: task not in done))
            for outcome in await waiting.popleft():
                progress.count(outcome)
                yield outcome
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class _Progress:
    def __init__(self, on_progress: OnMapped | None) -> None:
        self._on_progress = on_progress
        self._num_done = self._num_failed = 0

    def count(self, outcome: Outcome) -> None:
        """Counts an outcome, and reports."""
        self._num_done += 1
        self._num_failed += outcome.result is None
        if self._on_progress is not None:
            self._on_progress(self._num_done, self._num_failed)


def _checked(name: str, number: int) -> int:
    """The number of an argument. Raises TypeError if it is no whole number, ValueError if it is less than 1."""
    if not isinstance(number, numbers.Integral) or isinstance(number, bool):
        raise TypeError(f"{name} must be a whole number; it is {number!r}")
    if number < 1:
        raise ValueError(f"{name} must be at least 1; it is {number}")
    return int(number)


def _move_done_first(waiting: deque[Future[R]]) -> None:
    done = wait(waiting, return_when=FIRST_COMPLETED).done
    ordered = sorted(waiting, key=lambda future: future not in done)
    waiting.clear()
    waiting.extend(ordered)


def outcomes_of(batch: Batch, call: Call) -> list[Outcome]:
    """Runs a batch in one call; if the error may be that of one input, each in a call of its own."""
    try:
        return _paired(batch, retrying(lambda: call([item for _, item in batch])))
    except _ERRORS as error:
        if len(batch) == 1 or not is_of_input(error):
            return _failed(batch, error)
    return [outcome for each in batch for outcome in outcomes_of([each], call)]


async def _outcomes_async(batch: Batch, call: AsyncCall) -> list[Outcome]:
    try:
        return _paired(batch, await retrying_async(lambda: call([item for _, item in batch])))
    except _ERRORS as error:
        if len(batch) == 1 or not is_of_input(error):
            return _failed(batch, error)
    return [outcome for each in batch for outcome in await _outcomes_async([each], call)]


_ERRORS = (RegardError, OSError, ValueError)


def is_of_input(error: Exception) -> bool:
    """Whether an error may be that of one input: a text that is too long, a picture that cannot be read.

    So may a fault of the server, which one input can cause, and gRPC's refusal of a message that is too large: an
    exhausted resource without a reason of the server's.
    """
    if isinstance(error, Overloaded):
        return not error.reason and error.retry_after_s is None
    return isinstance(error, InvalidArgument | ServerFault | OSError | ValueError)


def _paired(batch: Batch, results: list[Result]) -> list[Outcome]:
    return [Outcome(index, item, result) for (index, item), result in zip(batch, results, strict=True)]


def _failed(batch: Batch, error: Exception) -> list[Outcome]:
    return [Outcome(index, item, error=error) for index, item in batch]


def retrying(call: Callable[[], R]) -> R:
    """Repeats a call as long as the overloaded server says when to try again."""
    for _ in range(MAX_RETRIES):
        try:
            return call()
        except Overloaded as error:
            if error.retry_after_s is None:
                raise
            time.sleep(min(error.retry_after_s, MAX_PAUSE_S))
    return call()


async def retrying_async(call: Callable[[], Awaitable[R]]) -> R:
    """As `retrying`, in an event loop."""
    for _ in range(MAX_RETRIES):
        try:
            return await call()
        except Overloaded as error:
            if error.retry_after_s is None:
                raise
            await asyncio.sleep(min(error.retry_after_s, MAX_PAUSE_S))
    return await call()
