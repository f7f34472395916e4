"""Checks whether the model can say how sure it is."""

from regard_service.bundle import Manifest
from regard_service.validation.violations import Violations


def check_confidence(is_asked: bool, manifest: Manifest, language: str, violations: Violations) -> None:
    """Adds a violation if a call asks for a confidence that the export did not learn. Args: language: the target's."""
    if is_asked and language not in manifest.confidence:
        known = f"it has that for {', '.join(manifest.confidence)}" if manifest.confidence else "its bundle has none"
        reason = f"model {manifest.name!r} has no calibrated confidence for {language or 'its outputs'}: {known}"
        violations.add("confidence", reason)
