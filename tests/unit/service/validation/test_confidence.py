"""A confidence that the export did not learn."""

from pathlib import Path

from regard_service.validation.confidence import check_confidence
from regard_service.validation.violations import Violations
from tests.toys import write_summarizer


def test_a_bundle_without_calibration_is_named(tmp_path: Path) -> None:
    manifest, violations = write_summarizer(tmp_path / "toy").manifest, Violations()
    check_confidence(False, manifest, "de", violations)
    assert not violations.found
    check_confidence(True, manifest, "de", violations)
    (violation,) = violations.found
    assert violation.field == "confidence"
    assert "beginnings" in violation.description
    assert "has none" in violation.description
