"""The result of a verification: every check with its limit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from regard_export.errors import ExportError


@dataclass(frozen=True)
class Check:
    """One measurement, which passes while `value` is at most `limit`; without a limit it is informative only."""

    name: str
    value: float
    limit: float | None = None

    @property
    def has_passed(self) -> bool:
        """Whether the value keeps the limit; NaN does not."""
        return self.limit is None or bool(self.value <= self.limit)

    def to_json(self) -> dict[str, Any]:
        """The check as the manifest holds it."""
        value = float(f"{self.value:.4g}") if np.isfinite(self.value) else str(self.value)
        return {"value": value, "limit": self.limit, "passed": self.has_passed}


@dataclass(frozen=True)
class CheckReport:
    """All checks of a verification.

    Attributes:
        sections: checks by precision; those of tokenizers and preprocessing are under "inputs".
        facts: other measurements, such as step times.
        dev_outputs: by target language or style, for each dev example; of float32 if it was verified.
    """

    sections: Mapping[str, Sequence[Check]]
    facts: Mapping[str, Any]
    dev_outputs: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """Every failed check in words."""
        return [
            f"{title}: {check.name} is {check.value:.4g}, more than {check.limit:.4g}"
            for title, section in self.sections.items()
            for check in section
            if not check.has_passed
        ]

    def to_json(self) -> dict[str, Any]:
        """The report as the manifest holds it."""
        sections = {
            title: {check.name: check.to_json() for check in section} for title, section in self.sections.items()
        }
        return {"passed": not self.failures, **self.facts, "checks": sections}


class VerificationFailed(ExportError):
    """A check did not keep its limit."""

    def __init__(self, report: CheckReport) -> None:
        super().__init__("verification failed: " + "; ".join(report.failures))
        self.report = report
