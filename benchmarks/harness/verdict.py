"""Whether something holds, as a row of a table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """One thing that was to be shown.

    Attributes:
        what: a line for a reader.
        found, bound: as a reader sees them.
    """

    what: str
    found: str
    bound: str
    holds: bool

    def cells(self) -> list[str]:
        return [self.what, self.found, self.bound, "yes" if self.holds else "no"]
