"""The verdicts of corpora from rates and memory."""

from benchmarks.bulk.bulk_report import AlignedRound, BulkReport, RayReport, RayRound, Round
from tests.unit.benchmarks.test_mechanisms import MEASURED


def failing(written: float, peak_mb: float) -> list[str]:
    rounds = (Round(clients=100, mapped=110, written=written), Round(clients=100, mapped=100, written=written + 1))
    sizes = {5: 100.0, 50: peak_mb}
    report = BulkReport(**MEASURED, num_rows=5, num_clients=64, rounds=rounds, peak_mb=sizes, long_rate=9)
    failed = [verdict.what for verdict in report.verdicts() if not verdict.is_met]
    assert report.is_met == (failed == [])
    return failed


def test_each_bound_is_held_against_its_figure() -> None:
    assert failing(101, 105) == []
    assert failing(96, 105) == ["rate of a corpus over that of client.map"]
    assert failing(101, 120) == ["memory of a corpus 10 times as long"]
    assert len(failing(80, 105)) == 2


def test_map_with_alignments_is_held_against_full_batches_of_its_round() -> None:
    def failed(mapped: float) -> list[str]:
        rounds = (Round(clients=100, mapped=100, written=100),)
        aligned = tuple(AlignedRound(full_batches=rate, mapped=mapped * rate) for rate in (100.0, 200.0, 300.0))
        report = BulkReport(
            **MEASURED, num_rows=5, num_clients=64, rounds=rounds, aligned=aligned, peak_mb={5: 9, 50: 9}, long_rate=9
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
