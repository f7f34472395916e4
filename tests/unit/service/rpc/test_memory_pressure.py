"""When memory is short, and when it is given back."""

import pytest

from regard_service.rpc import memory_pressure
from regard_service.rpc.memory_pressure import MemoryPressure


@pytest.fixture
def num_trims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    trims: list[int] = []
    monkeypatch.setattr(memory_pressure, "give_back", lambda: trims.append(1))
    return trims


def test_memory_is_short_beyond_what_may_be_added(num_trims: list[int]) -> None:
    resident, now = [500], [0.0]
    pressure = MemoryPressure(100, lambda: resident[0], lambda: now[0])
    resident[0] = 700
    pressure.begin()
    assert not pressure.is_high()
    resident[0], now[0] = 801, 10.0
    assert pressure.is_high()
    assert num_trims == [1]
    resident[0], now[0] = 790, 11.0
    assert not pressure.is_high()


def test_memory_is_given_back_once_for_what_was_added(num_trims: list[int]) -> None:
    """Not again and again, where it stays in use."""
    resident, now = [500], [0.0]
    pressure = MemoryPressure(100, lambda: resident[0], lambda: now[0])
    pressure.begin()
    for second in range(10, 100, 10):
        resident[0], now[0] = 530, float(second)
        pressure.relax()
    assert num_trims == [1]
