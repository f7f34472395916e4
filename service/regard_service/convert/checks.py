"""The checks of single fields, with the bounds that the .proto gives."""

from collections.abc import Hashable, Sequence

import numpy as np

from regard_service.convert.enums import EnumTable, Name, Number
from regard_service.validation.texts import name_fault
from regard_service.validation.violations import Violations


class Checks(Violations):
    """Checks fields and collects the violations."""

    def in_range(self, path: str, value: float, low: float, high: float) -> None:
        """Checks a number; NaN is never in range."""
        if not low <= value <= high:
            self.add(path, f"must be in [{low:g}, {high:g}]; it is {shown_number(value)}")

    def at_least(self, path: str, value: int, low: int) -> None:
        """Checks a number against a minimum."""
        if value < low:
            self.add(path, f"must be at least {low}; it is {value}")

    def unique(self, path: str, values: Sequence[Hashable]) -> None:
        """Checks that no value is repeated."""
        seen: set[Hashable] = set()
        for value in values:
            if value in seen:
                self.add(path, f"names {value} more than once")
            seen.add(value)

    def enum(self, path: str, table: EnumTable[Number, Name], number: int) -> Name | None:
        """Returns the domain's name of an enum's value; None for unspecified and for unknown values."""
        try:
            return table.name(number)
        except ValueError as error:
            self.add(path, str(error))
            return None

    def name(self, path: str, value: str) -> str:
        """Checks and returns the name of a model, version, language or style."""
        self.add_if(path, name_fault(value))
        return value


def shown_number(value: float) -> str:
    """A number as its caller wrote it: an integer in full, a float32 by the fewest digits that no other has.

    Six digits, as "g" writes, would show 1.0000001 as 1, which is in range.
    """
    return str(value) if isinstance(value, int) else f"{float(str(np.float32(value))):.9g}"
