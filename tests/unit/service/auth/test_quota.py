"""Quotas: requests per second, and calls in flight."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.auth.quota import CallerQuota
from regard_service.auth.tokens import TokenEntry, hash_token
from regard_service.errors import QuotaExceeded

TOKEN = "a token that nobody guesses"


def _entry(**options: object) -> TokenEntry:
    values = {"name": "web", "sha256": hash_token(TOKEN), "scopes": ["infer"], **options}
    return TokenEntry.model_validate(values)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_calls_in_flight_are_limited_and_counted_down() -> None:
    limits = CallerQuota(_entry(max_concurrent=2))
    with limits.admit(), limits.admit(), pytest.raises(QuotaExceeded, match="2 calls"), limits.admit():
        pass
    with limits.admit(), limits.admit():
        pass


def test_a_failed_call_is_counted_down_too() -> None:
    limits = CallerQuota(_entry(max_concurrent=1))
    for _ in range(3):
        with pytest.raises(KeyError), limits.admit():
            raise KeyError


def test_a_burst_is_a_seconds_worth_and_the_refusal_says_when_to_retry() -> None:
    clock = Clock()
    limits = CallerQuota(_entry(requests_per_s=4), clock)
    for _ in range(4):
        with limits.admit():
            pass
    with pytest.raises(QuotaExceeded) as raised, limits.admit():
        pass
    assert raised.value.retry_after_s == pytest.approx(0.25)
    clock.now += 0.25
    with limits.admit():
        pass


@given(
    rate=st.floats(0.5, 50),
    waits=st.lists(st.floats(0, 2), min_size=1, max_size=60),
)
def test_the_rate_bounds_the_admitted_calls(rate: float, waits: list[float]) -> None:
    clock = Clock()
    limits = CallerQuota(_entry(requests_per_s=rate), clock)
    num_admitted = 0
    for wait in waits:
        clock.now += wait
        with suppress(QuotaExceeded), limits.admit():
            num_admitted += 1
    assert num_admitted <= max(1.0, rate) + rate * sum(waits) + 1e-6


def test_processes_divide_a_quota() -> None:
    quota = CallerQuota(_entry(requests_per_s=4, max_concurrent=3), Clock(), num_processes=2)
    fault = "2 calls in flight, which is its limit in each of the server's 2 processes"
    with quota.admit(), quota.admit(), pytest.raises(QuotaExceeded, match=fault), quota.admit():
        pass
    with pytest.raises(QuotaExceeded, match="2 times a second in each of"), quota.admit():
        pass
