"""The verdicts of corpora from rates and memory."""

import os

from benchmarks.bulk.bulk_report import AlignedRound, BulkReport, RayReport, RayRound, Round
from benchmarks.bulk.run_worker import NUM_SAMPLES, MemorySample, Sampler, thinned
from tests.unit.benchmarks.test_mechanisms import MEASURED
from tests.waiting import wait_until

ROUND = Round(clients=100, mapped=110, written=105)


def failing(written: float, peak_mb: float, long_rate: float = 105) -> list[str]:
    rounds = (Round(clients=100, mapped=110, written=written), Round(clients=100, mapped=100, written=written + 1))
    sizes = {5: 100.0, 50: peak_mb}
    report = BulkReport(**MEASURED, num_rows=5, num_clients=64, rounds=rounds, peak_mb=sizes, long_rate=long_rate)
    failed = [verdict.what for verdict in report.verdicts() if not verdict.is_met]
    assert report.is_met == (failed == [])
    return failed


def test_each_bound_is_held_against_its_figure() -> None:
    assert failing(101, 105) == []
    assert failing(96, 105) == ["rate of a corpus over that of client.map"]
    assert failing(101, 120) == ["memory of a corpus 10 times as long"]
    assert failing(101, 105, long_rate=99) == ["rate of a corpus of 50 rows over that of client.map"]
    assert len(failing(80, 105)) == 2


def test_memory_is_shown_in_the_course_of_a_corpus() -> None:
    samples = [MemorySample(seconds=n / 2, client_mb=n, server_mb=100 + n) for n in range(1, 101)]
    shown = thinned(samples)
    assert shown[-1] == samples[-1]
    assert NUM_SAMPLES <= len(shown) <= NUM_SAMPLES + 1
    assert thinned(samples[:3]) == tuple(samples[:3])
    assert thinned([]) == ()
    report = BulkReport(
        **MEASURED, num_rows=5, num_clients=64, rounds=(ROUND,), peak_mb={5: 1, 50: 1}, long_rate=9, samples=shown
    )
    _, memory, _ = report.tables()
    assert list(memory.rows[-1]) == ["50", "100", "200"]


def test_the_sampler_reads_the_memory_of_both_processes() -> None:
    with Sampler(os.getpid()) as sampler:
        wait_until(lambda: len(sampler.samples) >= 1)
    for sample in sampler.samples:
        assert 10 < sample.client_mb < 1e6
        assert sample.server_mb > 10


def test_map_with_alignments_is_held_against_full_batches_of_its_round() -> None:
    def failed(mapped: float) -> list[str]:
        rounds = (Round(clients=100, mapped=100, written=100),)
        aligned = tuple(AlignedRound(full_batches=rate, mapped=mapped * rate) for rate in (100.0, 200.0, 300.0))
        report = BulkReport(
            **MEASURED, num_rows=5, num_clients=64, rounds=rounds, aligned=aligned, peak_mb={5: 9, 50: 9}, long_rate=99
        )
        assert report.tables()[0].rows[-2][1] == "200.0 (100.0 to 300.0)"
        return [verdict.what for verdict in report.verdicts() if not verdict.is_met]

    assert failed(0.96) == []
    assert failed(0.94) == ["rate of client.map over that of full batches, with alignments"]


def test_actors_are_compared_within_rounds() -> None:
    def is_met(actors: float) -> bool:
        rounds = (RayRound(processes=100, actors=actors), RayRound(processes=200, actors=2 * actors))
        return RayReport(**MEASURED, num_rows=5, num_engines=2, rounds=rounds).is_met

    assert (is_met(91), is_met(89)) == (True, False)
