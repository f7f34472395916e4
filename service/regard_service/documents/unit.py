"""What a document offers: its units, and itself with their translations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from regard_service.errors import InvalidInput

UnitFormat = Literal["plain", "html", "xml"]

FIELD = "document"
"""The field of a call that holds the file, which faults name."""


class Unit(NamedTuple):
    """A text of a document that is translated by itself.

    Attributes:
        format: "html" and "xml" are running text with tags, which the translation has too, each once.
        id: the unit's name in the document, such as a key or a line number.
        context: what the document says about it, for people.
    """

    text: str
    format: UnitFormat = "plain"
    id: str = ""
    context: str = ""


class Fault(NamedTuple):
    """What a document could not take over.

    Attributes:
        unit: index of the unit; None for the whole document.
    """

    message: str
    unit: int | None = None


class Written(NamedTuple):
    """A document with translations in the place of its units."""

    data: bytes
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class DocumentOptions:
    """How a document is read and written.

    Attributes:
        target_language: as BCP 47; written where a format names it, such as the header of a PO file.
        charset: the encoding, if the caller knows it; a byte-order mark says it better.
        replaces_existing: translates what has a translation already (PO, XLIFF).
        max_unit_characters: longer plain text is cut at a white space; longer text with markup is refused.
        max_units: most units of a document.
        max_expanded_bytes: most bytes that a compressed document (DOCX) may expand to.
    """

    target_language: str = ""
    charset: str = ""
    replaces_existing: bool = False
    max_unit_characters: int = 20_000
    max_units: int = 100_000
    max_expanded_bytes: int = 128 * 2**20


class Document(Protocol):
    """A file that was read."""

    @property
    def units(self) -> Sequence[Unit]:
        """The texts to translate, in the order of the document."""

    def write(self, translations: Sequence[str | None]) -> Written:
        """Returns the file with the translations of the units in their places.

        Args:
            translations: one a unit, in its format; None where there is none: the source stays.
        """


def refused(description: str) -> InvalidInput:
    """Returns the error of a file that cannot be read."""
    return InvalidInput.of(FIELD, description)


def has_words(text: str) -> bool:
    """Whether a text has anything to translate: a letter of any script."""
    return any(map(str.isalpha, text))
