"""Whether a measured value keeps its bound."""

from dataclasses import dataclass

VERDICT_HEADER = ("", "measured", "bound", "met")


@dataclass(frozen=True)
class Verdict:
    """One checked claim.

    Attributes:
        what: the claim, as tables show it.
        found, bound: value and bound, formatted.
    """

    what: str
    found: str
    bound: str
    is_met: bool

    def cells(self) -> list[str]:
        """The row of a table with `VERDICT_HEADER`."""
        return [self.what, self.found, self.bound, "yes" if self.is_met else "no"]
