"""From measured loads to a number of replicas."""

from datetime import UTC, datetime

import pytest

from benchmarks.capacity.capacity_report import CapacityReport, OpenLevel
from benchmarks.harness.machine import Machine
from benchmarks.loadtest.load_report import PartResult, Percentiles

MACHINE = Machine(
    cpu="A processor", cores=2, cpu_features=(), memory_gib=8, system="Linux x86_64", python="3.12.1", packages={},
    load_before=0.1,
)  # fmt: skip


def level(rate: float, p99: float, failed: int = 0) -> OpenLevel:
    codes = {"OK": 100, "UNAVAILABLE": failed}
    times = Percentiles(values={"p50": p99 / 4, "p90": p99 / 2, "p99": p99})
    total = PartResult(
        name="all", num_calls=100 + failed, codes=codes, calls_per_s=rate, tokens_per_s=0, latency=times,
        first_token=Percentiles(values={}),
    )  # fmt: skip
    return OpenLevel(share=rate / 100, rate_per_s=rate, total=total, lag_p99_ms=0)


def report(*levels: OpenLevel) -> CapacityReport:
    return CapacityReport(
        date=datetime(2026, 1, 2, tzinfo=UTC), command="", commit="", machine=MACHINE, quick=False, workers=1,
        replicas=(), arrivals=levels,
    )  # fmt: skip


def test_the_bound_is_where_p99_first_leaves_it() -> None:
    found = report(level(90, 400), level(50, 100), level(70, 200), level(80, 300), level(85, 240))
    assert found.rate_within_bound == 70, "a lucky level beyond one that failed does not count"
    assert found.replicas_for(70) == 2
    assert found.replicas_for(71) == 3
    assert found.replicas_for(5000) == 73


def test_a_level_with_a_failed_call_does_not_count() -> None:
    assert report(level(50, 100), level(70, 100, failed=1)).rate_within_bound == 50


def test_without_a_level_within_the_bound_no_number_is_made_up() -> None:
    found = report(level(50, 900))
    with pytest.raises(ValueError, match="no rate"):
        found.replicas_for(10)
    assert [table.title for table in found.tables()][-1].startswith("One replica")
    assert any("No load tried" in note for note in found.notes())
