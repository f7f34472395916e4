"""How a server's process keeps its objects while it serves."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import cast

import pytest

from regard_service.app import lifetime
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from tests.waiting import until


class Circle:
    """Refers to itself, so that only the garbage collector frees it."""

    def __init__(self) -> None:
        self.itself = self


class Idle:
    """A server that does nothing."""

    async def __aenter__(self) -> None:
        """Begins."""

    async def __aexit__(self, *_: object) -> None:
        """Ends."""


@pytest.fixture(autouse=True)
def thresholds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(lifetime, "_end_process_after", lambda seconds: None)
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


async def test_all_objects_are_collected_now_and_then_and_never_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are added: Python would begin a full collection after every quarter."""
    monkeypatch.setattr(lifetime, "GC_INTERVAL_S", 0.01)
    monkeypatch.setattr(lifetime, "GC_YOUNG_OBJECTS", 100)
    stopping, stats = asyncio.Event(), gc.get_stats
    serving = asyncio.create_task(lifetime.serve_until(stopping, cast(Server, Idle()), Settings()))
    await until(lambda: gc.get_threshold()[2] == lifetime.GC_NEVER)
    circle = weakref.ref(Circle())
    gc.collect(1)
    await until(lambda: circle() is None)
    monkeypatch.setattr(lifetime, "GC_INTERVAL_S", 1e6)
    await asyncio.sleep(0.05)  # what it sleeps now began before
    before = stats()[2]["collections"]
    held: list[list[int]] = [[] for _ in range(300_000)]
    assert stats()[2]["collections"] == before
    assert stats()[0]["collections"] > 0
    assert held
    stopping.set()
    await serving
