from datetime import UTC, datetime

from benchmarks.export.export_report import ExportReport, StageCost
from benchmarks.export.timed_export import Stages
from tests.unit.benchmarks.test_reports import MACHINE


def test_peaks_are_those_of_each_stage() -> None:
    stages = Stages("large")
    filled = bytearray(b"x" * 200_000_000)
    stages.next("small")
    del filled
    stages.next("next")
    stages.next("")
    large, small, after = (StageCost.model_validate(stage) for stage in stages.ended)
    assert [stage.title for stage in (large, small, after)] == ["large", "small", "next"]
    assert large.peak_bytes > 200_000_000
    assert after.peak_bytes < large.peak_bytes - 150_000_000


def test_what_the_report_says() -> None:
    report = ExportReport(
        date=datetime(2026, 1, 2, tzinfo=UTC),
        command="python -m benchmarks.export",
        commit="abc1234",
        machine=MACHINE,
        checkpoint_bytes=300_000_000,
        stages=(
            StageCost(title="reading", seconds=2, cpu_seconds=1.5, peak_bytes=600_000_000),
            StageCost(title="writing", seconds=3, cpu_seconds=2.5, peak_bytes=900_000_000),
        ),
        bundle_bytes={"int8": 80_000_000, "float32": 400_000_000},
    )
    (table,) = report.tables()
    assert table.rows[-1] == ("all", "5.0", "4.0", "900")
    notes = "\n".join(report.notes())
    for part in ("3.00 times", "20.0% of float32's", "26.7% of the checkpoint's"):
        assert part in notes
