"""Collects the violations of a call, so that one error lists them all."""

from dataclasses import dataclass, field

from regard_service.errors import FieldViolation, InvalidInput


@dataclass
class Violations:
    """The violations found so far."""

    found: list[FieldViolation] = field(default_factory=list)

    def add(self, path: str, description: str) -> None:
        """Adds one violation. Args: path: of the field, as in "generation.num_beams"."""
        self.found.append(FieldViolation(path, description))

    def add_if(self, path: str, description: str | None) -> None:
        """Adds the violation that a check returned, if it returned one."""
        if description is not None:
            self.add(path, description)

    def raise_if_any(self) -> None:
        """Raises InvalidInput with every violation."""
        if self.found:
            raise InvalidInput(self.found)
