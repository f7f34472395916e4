"""The verdicts of an overload from the outcomes of calls."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.loadtest.runner import Outcome
from benchmarks.overload.overload_report import OverloadReport, Round
from tests.unit.benchmarks.test_mechanisms import MEASURED


def outcomes(num_ok: int, num_refused: int, num_late: int = 0, **changes: Any) -> list[Outcome]:
    """Outcomes within ten seconds: answers after 500 ms, refusals after 5 ms, late calls at their deadline of 2 s."""
    kinds: list[tuple[str, int, float, float | None]] = [
        ("OK", num_ok, 0.5, None),
        ("RESOURCE_EXHAUSTED", num_refused, changes.get("refusal_s", 0.005), changes.get("retry_after_s", 0.25)),
        ("DEADLINE_EXCEEDED", num_late, 2.0, None),
        ("INTERNAL", changes.get("num_internal", 0), 0.1, None),
    ]
    return [
        Outcome("p", 10 * n / count, 10 * n / count, 10 * n / count + latency, None, code, 1, code == "OK", delay)
        for code, count, latency, delay in kinds
        for n in range(count)
    ]


def report(*rounds: Round) -> OverloadReport:
    return OverloadReport(**MEASURED, factor=3, deadline_s=2, rounds=rounds)


def failing(*rounds: Round) -> list[str]:
    return [verdict.what for verdict in report(*rounds).verdicts() if not verdict.is_met]


def test_a_server_that_refuses_what_it_cannot_do_passes() -> None:
    found = Round.of(10, 10, outcomes(num_ok=95, num_refused=205))
    assert (found.goodput, found.num_refused, found.late_share) == (0.95, 205, 0)
    assert (found.admitted_p99_ms, found.refusal_p99_ms, found.delay_p50_s) == (500, 5, 0.25)
    assert failing(found) == []


@pytest.mark.parametrize(
    ("outcomes", "what"),
    [
        (outcomes(num_ok=85, num_refused=215), "calls answered within their deadline, over the capacity"),
        (outcomes(num_ok=95, num_refused=195, num_late=10), "admitted calls that took longer than 2 s"),
        (outcomes(num_ok=95, num_refused=205, retry_after_s=None), "refused calls without a retry delay"),
        (outcomes(num_ok=95, num_refused=205, refusal_s=1.0), "latency of a refusal, p99"),
    ],
)
def test_each_fault_is_found(outcomes: list[Outcome], what: str) -> None:
    assert failing(Round.of(10, 10, outcomes)) == [what]


def test_any_other_end_is_a_fault() -> None:
    found = Round.of(10, 10, outcomes(num_ok=950, num_refused=200, num_internal=1))
    assert failing(found) == ["calls with another status"]


def test_calls_of_a_process_that_was_killed_are_lost_and_nothing_else() -> None:
    lost = [replace(outcome, code="UNAVAILABLE") for outcome in outcomes(num_ok=5, num_refused=0)]
    found = Round.of(10, 10, [*outcomes(num_ok=95, num_refused=205), *lost])
    assert found.late_share == 0
    assert failing(found) == ["calls with another status"]
    killing = report(found).model_copy(update={"processes": 2, "is_killing": True})
    assert all(verdict.is_met for verdict in killing.verdicts())
    assert "with 5 calls" in " ".join(killing.notes())


def test_the_median_round_counts() -> None:
    good, bad = (Round.of(10, 10, outcomes(num_ok=count, num_refused=200)) for count in (95, 80))
    assert failing(good, bad, good) == []
    assert failing(bad, good, bad) == ["calls answered within their deadline, over the capacity"]
    assert OverloadReport.model_validate_json(report(good, bad).model_dump_json()) == report(good, bad)


def test_calls_of_the_warm_up_do_not_count() -> None:
    warming = Outcome("p", -1, -1, 5, None, "OK", 1, True)
    assert Round.of(10, 10, [*outcomes(95, 205), warming]) == Round.of(10, 10, outcomes(95, 205))
    with pytest.raises(ValueError, match="no call was admitted"):
        Round.of(10, 10, [warming])
