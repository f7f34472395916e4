"""What a caller says about elements of markup, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ElementRules:
    """How elements are treated that a format alone would treat otherwise. Names are qualified; of HTML in lower case.

    Attributes:
        ignored: elements whose contents are not translated.
        splitting: elements at whose tags sentences end, wherever they stand.
        non_splitting: elements at whose tags no sentence ends; in XML neither at those of elements within them, unless
            they are named themselves.
        has_outline: whether sentences end at the tags of other elements where the format says so.
    """

    ignored: frozenset[str] = frozenset()
    splitting: frozenset[str] = frozenset()
    non_splitting: frozenset[str] = frozenset()
    has_outline: bool = True

    def is_block(self, name: str) -> bool | None:
        """Returns whether running text ends at an element's tags; None where the format says it."""
        if name in self.splitting:
            return True
        return False if name in self.non_splitting or not self.has_outline else None


NO_RULES = ElementRules()
"""All elements are treated as the format says."""
