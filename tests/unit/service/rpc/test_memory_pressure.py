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


def trims_of(pressure: MemoryPressure, now: list[float], seconds: int) -> list[int]:
    """Returns the seconds at which memory is given back, looking each second."""
    found = []
    for second in range(int(now[0]), int(now[0]) + seconds):
        now[0] = float(second)
        if pressure.is_due():
            pressure.relax()
            found.append(second)
    return found


def test_memory_that_stays_in_use_is_looked_at_ever_more_rarely(num_trims: list[int]) -> None:
    resident, now = [500], [0.0]
    pressure = MemoryPressure(100, lambda: resident[0], lambda: now[0])
    pressure.begin()
    resident[0] = 525
    assert trims_of(pressure, now, 100) == []
    resident[0] = 530
    assert trims_of(pressure, now, 300) == [99, 109, 129, 169, 229, 289, 349]
    assert len(num_trims) == 7


def test_memory_that_was_in_use_at_the_last_trim_is_given_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trim while answers wait to be read returns nothing. They are freed later, and no other call comes."""
    resident, freed, now = [500], [0], [0.0]

    def give_back() -> None:
        resident[0] -= freed[0]
        freed[0] = 0

    monkeypatch.setattr(memory_pressure, "give_back", give_back)
    pressure = MemoryPressure(100, lambda: resident[0], lambda: now[0])
    pressure.begin()
    resident[0], now[0] = 620, 10.0
    assert pressure.is_high()
    freed[0] = 60  # by the library, not to the system
    assert trims_of(pressure, now, 10) == [15]
    assert resident == [560]


def test_memory_that_was_added_since_is_given_back_at_once(num_trims: list[int]) -> None:
    resident, now = [500], [0.0]
    pressure = MemoryPressure(100, lambda: resident[0], lambda: now[0])
    pressure.begin()
    resident[0] = 530
    trims_of(pressure, now, 300)
    resident[0] = 560
    assert trims_of(pressure, now, 3) == [299]
