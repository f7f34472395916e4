"""The switch interval, while threads work for one caller beside others."""

import sys
from collections.abc import Iterator

import pytest

from regard_service.auth.caller import set_caller
from regard_service.calls.interpreter import SHORT_INTERVAL_S, interpreter_shared
from regard_service.calls.thread_pool import BoundedThreadPool
from tests.waiting import until

USUAL_S = 0.0005


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(USUAL_S)
    yield
    sys.setswitchinterval(before)


def test_it_is_short_until_the_last_thread_ends() -> None:
    with interpreter_shared():
        with interpreter_shared():
            assert sys.getswitchinterval() == pytest.approx(SHORT_INTERVAL_S)
        assert sys.getswitchinterval() == pytest.approx(SHORT_INTERVAL_S)
    assert sys.getswitchinterval() == pytest.approx(USUAL_S)


async def test_threads_that_read_share_it_with_other_callers_only() -> None:
    pool = BoundedThreadPool(1, 4)
    set_caller("greedy")
    assert await pool.run([sys.getswitchinterval]) == [pytest.approx(USUAL_S)]
    pool.present.meet("honest")
    assert await pool.run([sys.getswitchinterval]) == [pytest.approx(SHORT_INTERVAL_S)]
    await until(lambda: sys.getswitchinterval() == pytest.approx(USUAL_S))  # the thread ends after its result
    pool.close()
