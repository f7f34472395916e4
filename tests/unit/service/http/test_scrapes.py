"""Metrics for many scrapers."""

import asyncio

from regard_service.http.scrapes import Scrapes


async def test_many_scrapers_at_a_time_cost_what_two_cost() -> None:
    num_written = 0
    now = 0.0

    async def write() -> bytes:
        nonlocal num_written, now
        num_written += 1
        now += 0.001
        return b"%d" % num_written

    scrapes = Scrapes(lambda: now)
    texts = await asyncio.gather(*(scrapes.text("text/plain", write) for _ in range(50)))
    assert num_written <= 2
    assert texts[0] == b"1"


async def test_a_text_is_newer_than_its_request() -> None:
    value = 0
    scrapes = Scrapes()

    async def write() -> bytes:
        return b"%d" % value

    while value < 5:
        value += 1
        assert await scrapes.text("text/plain", write) == b"%d" % value
