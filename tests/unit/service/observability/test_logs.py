"""Lines of an event loop are written in batches."""

import asyncio
import io
import logging
from collections.abc import Callable, Iterator

import pytest

from regard_service.observability.logs import BatchingHandler
from tests.waiting import until


class Writes(io.StringIO):
    """Records each write."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[str] = []

    def write(self, text: str) -> int:
        self.all.append(text)
        return super().write(text)


@pytest.fixture
def writes() -> Writes:
    return Writes()


@pytest.fixture
def log(writes: Writes) -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.batching")
    handler = BatchingHandler(writes)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def in_a_loop(act: Callable[[], None], is_written: Callable[[], bool] = lambda: True) -> None:
    """Acts in an event loop, which ends once what has to be written is."""

    async def run() -> None:
        act()
        await until(is_written)

    asyncio.run(run())


def test_lines_of_an_event_loop_are_written_together(log: logging.Logger, writes: Writes) -> None:
    def act() -> None:
        log.info("one")
        log.info("two")
        assert not writes.all

    in_a_loop(act, lambda: bool(writes.all))
    assert writes.all == ["one\ntwo\n"]


def test_a_warning_is_written_at_once_after_the_lines_before_it(log: logging.Logger, writes: Writes) -> None:
    def act() -> None:
        log.info("one")
        log.warning("two")
        assert writes.getvalue() == "one\ntwo\n"

    in_a_loop(act)


def test_without_an_event_loop_every_line_is_written_at_once(log: logging.Logger, writes: Writes) -> None:
    log.info("one")
    log.info("two")
    assert writes.all == ["one\n", "two\n"]


def test_no_line_is_lost_when_an_event_loop_ends_early(log: logging.Logger, writes: Writes) -> None:
    in_a_loop(lambda: log.info("one"))
    in_a_loop(lambda: log.info("two"), lambda: "two" in writes.getvalue())
    in_a_loop(lambda: log.info("three"))
    log.handlers[0].flush()  # as logging.shutdown does at the process' end
    assert writes.getvalue() == "one\ntwo\nthree\n"
