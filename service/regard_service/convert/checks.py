"""The checks of single fields, with the bounds that the .proto gives."""

from collections.abc import Sequence

from regard_service.convert.enums import EnumTable, Name, Number
from regard_service.validation.texts import name_fault
from regard_service.validation.violations import Violations


class Checks(Violations):
    """Checks fields and collects the violations."""

    def in_range(self, path: str, value: float, low: float, high: float) -> None:
        """Checks a number; NaN is never in range."""
        if not low <= value <= high:
            self.add(path, f"must be in [{low:g}, {high:g}]; it is {_shown(value)}")

    def at_least(self, path: str, value: int, low: int) -> None:
        """Checks a number against a minimum."""
        if value < low:
            self.add(path, f"must be at least {low}; it is {value}")

    def unique(self, path: str, values: Sequence[int]) -> None:
        """Checks that no value is repeated."""
        seen: set[int] = set()
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


def _shown(value: float) -> str:
    """A number as its caller wrote it: an integer in full."""
    return str(value) if isinstance(value, int) else f"{value:g}"
