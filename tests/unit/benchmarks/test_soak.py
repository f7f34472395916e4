"""The verdicts of a soak from outcomes and samples, and its parts."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click
import pytest

from benchmarks.harness.process import num_open_files, thread_names
from benchmarks.harness.spread import Spread
from benchmarks.loadtest.mixed_load import mixed_scenario, parse_cores, rate_of, served_only
from benchmarks.loadtest.runner import Outcome
from benchmarks.soak.__main__ import NUM_STRETCHES, Soaked, results
from benchmarks.soak.course_picture import draw
from benchmarks.soak.soak_report import NUM_FIFTHS, SoakReport
from benchmarks.soak.watch import Sample, watching
from tests.unit.benchmarks.test_mechanisms import MEASURED
from tests.waiting import until

MINUTES = 10
THREADS = {"python": 8, "event_engine": 4}


def outcome(due: float, latency_s: float = 0.1, code: str = "OK", expected: bool = True) -> Outcome:
    return Outcome("sentence", due, due, due + latency_s, None, code, 3, expected)


def soaked(latency_growth: float = 0.0, memory_growth: float = 0.0, **changes: Any) -> Soaked:
    """One call and one sample per second, with linear growth."""
    seconds = 60 * MINUTES
    latencies = [0.1 * (1 + latency_growth * n / seconds) for n in range(seconds)]
    samples = [Sample(n, 400 * (1 + memory_growth * n / seconds), 30, THREADS) for n in range(seconds)]
    fields: dict[str, Any] = {
        "capacities": [Spread.of([1.25])] * (1 + NUM_FIFTHS),
        "warmup": [outcome(1)],
        "outcomes": [outcome(n, latency) for n, latency in enumerate(latencies)],
        "samples": samples,
    }
    return Soaked(**fields | changes)


def report(found: Soaked) -> SoakReport:
    return SoakReport(**MEASURED, minutes=MINUTES, share=0.8, **results(found, MINUTES))


def failing(found: Soaked) -> list[str]:
    return [verdict.what for verdict in report(found).verdicts() if not verdict.is_met]


def test_a_steady_server_passes() -> None:
    assert failing(soaked()) == []
    assert report(soaked()).is_met


def test_growth_from_the_first_fifth_to_the_last_is_found() -> None:
    assert failing(soaked(memory_growth=0.03)) == [], "the medians of the fifths are 4/5 of the time apart"
    assert failing(soaked(memory_growth=0.04)) == ["growth of resident memory"]
    assert failing(soaked(latency_growth=0.2)) == ["drift of p99 of 5 s, median of a fifth"]
    assert failing(soaked(latency_growth=-0.2)) == [], "becoming faster is no fault"


def test_a_slow_moment_is_no_drift() -> None:
    slow = [outcome(n, 5.0 if 560 <= n < 580 else 0.1) for n in range(60 * MINUTES)]
    assert report(soaked(outcomes=slow)).fifths[-1].p99_ms == pytest.approx(5000)
    assert failing(soaked(outcomes=slow)) == []


def test_one_failed_call_is_a_failure_and_one_of_the_warm_up_too() -> None:
    failed = outcome(5, code="INTERNAL", expected=False)
    refused = outcome(6, code="NOT_FOUND")
    assert failing(soaked(outcomes=[*soaked().outcomes, refused])) == []
    assert failing(soaked(outcomes=[*soaked().outcomes, failed])) == ["failed calls"]
    assert failing(soaked(warmup=[failed])) == ["failed calls"]


def test_a_file_that_stays_open_is_found() -> None:
    samples = [Sample(n, 400, 30 + (n > 40), THREADS) for n in range(60 * MINUTES)]
    assert failing(soaked(samples=samples)) == []
    samples = [Sample(n, 400, 30 + (n > 400), THREADS) for n in range(60 * MINUTES)]
    assert failing(soaked(samples=samples)) == ["open files"]


def test_a_thread_that_stays_is_found() -> None:
    samples = [Sample(n, 400, 30, THREADS | {"event_engine": 4 + (n > 400)}) for n in range(60 * MINUTES)]
    assert failing(soaked(samples=samples)) == ["threads"]
    (table,) = (table for table in report(soaked(samples=samples)).tables() if table.title.startswith("Threads"))
    assert ["`event_engine`", "4", "4", "4", "5", "5"] in table.rows


def test_the_course_covers_the_time_and_can_be_drawn(tmp_path: Path) -> None:
    found = report(soaked())
    assert (len(found.fifths), len(found.course)) == (NUM_FIFTHS, NUM_STRETCHES)
    assert sum(stretch.num_calls for stretch in found.course) == sum(f.num_calls for f in found.fifths) == 600
    draw(found, tmp_path / "soak.svg")
    assert (tmp_path / "soak.svg").read_text().startswith("<?xml")
    assert SoakReport.model_validate_json(found.model_dump_json()) == found


async def test_a_process_is_watched() -> None:
    async with watching(os.getpid(), 0.02) as samples:
        await until(lambda: len(samples) >= 3)
    assert samples[0].resident_mb > 10
    assert [sample.at_s for sample in samples] == sorted(sample.at_s for sample in samples)


async def test_a_process_that_is_gone_is_an_error() -> None:
    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    with pytest.raises(RuntimeError, match="nothing about process"):
        async with watching(ended.pid, 0.02):
            await asyncio.sleep(0.05)


def test_files_and_threads_are_counted(tmp_path: Path) -> None:
    before = num_open_files(os.getpid())
    with (tmp_path / "file").open("w"):
        assert num_open_files(os.getpid()) == (before or 0) + 1
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    names = thread_names(os.getpid()) or []
    thread.start()
    assert len(thread_names(os.getpid()) or []) == len(names) + 1
    done.set()
    thread.join()
    assert thread_names(2**22 + 1) is None


def test_a_benchmark_stays_on_its_cores() -> None:
    """Pins a separate process, since pinning also affects the threads of this one's libraries."""
    core = min(os.sched_getaffinity(0))
    pinned = f"from benchmarks.harness.process import pin_to_cores; pin_to_cores([{core}])"
    code = f"import os; {pinned}; print(os.sched_getaffinity(0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{{{core}}}"


def test_cores_are_read_from_the_command_line() -> None:
    assert parse_cores("0,1") == (0, 1)
    with pytest.raises(click.BadParameter, match="list of cores"):
        parse_cores("all")


def test_only_what_ends_in_time_counts_for_the_capacity() -> None:
    calls = [outcome(-1, 0.5), outcome(-0.1, 0.2), outcome(1), outcome(2, code="NOT_FOUND"), outcome(9.9, 0.2)]
    assert rate_of([*calls, outcome(3, code="INTERNAL", expected=False)], 10) == 0.3


def test_what_is_not_to_be_served_can_be_left_out() -> None:
    left = {part.name for part in served_only(mixed_scenario()).parts}
    assert {"sentence", "photograph", "story, stream"} <= left
    assert not left & {"given up", "stream given up", "too many beams", "unknown language", "damaged picture"}
