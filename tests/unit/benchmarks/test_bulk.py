"""The verdicts of corpora from rates and memory."""

from benchmarks.bulk.bulk_report import BulkReport, RayReport, RayRound, Round
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


def test_actors_are_compared_within_rounds() -> None:
    def is_met(actors: float) -> bool:
        rounds = (RayRound(processes=100, actors=actors), RayRound(processes=200, actors=2 * actors))
        return RayReport(**MEASURED, num_rows=5, num_engines=2, rounds=rounds).is_met

    assert (is_met(91), is_met(89)) == (True, False)
