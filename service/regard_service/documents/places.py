"""Texts in a text: where each unit of a document stands, and how its translation is written there."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from regard_service.documents.encoding import DecodedText
from regard_service.documents.inline import BrokenTags
from regard_service.documents.unit import DocumentOptions, Fault, Unit, Written, refused
from regard_service.domain.results import Span

Render = Callable[[str], str]
"""Writes a translation as the file's format has it. Raises BrokenTags if its tags are not the unit's."""


@dataclass(frozen=True)
class Place:
    """A unit in its document.

    Attributes:
        spans: where it stands, in code points of the document's text: one range, or several that share it.
        render: makes of a translation the text of each range.
    """

    unit: Unit
    spans: tuple[Span, ...]
    render: Callable[[str], Sequence[str]]


def place(unit: Unit, span: Span, render: Render = str) -> Place:
    """Returns the place of a unit that stands in one range."""
    return Place(unit, (span,), lambda translation: (render(translation),))


@dataclass(frozen=True)
class TextDocument:
    """A document that is a text with units in it.

    Attributes:
        places: in the order of the text.
        errors: of the encoding, if it lacks a character: "strict" makes the document UTF-8.
        notes: what the document has that is not translated, and why.
    """

    source: DecodedText
    places: Sequence[Place]
    errors: str = "strict"
    notes: tuple[Fault, ...] = ()

    @property
    def units(self) -> Sequence[Unit]:
        """The texts to translate."""
        return [each.unit for each in self.places]

    def write(self, translations: Sequence[str | None]) -> Written:
        """Returns the document with the translations."""
        replacements, faults = rendered(self.places, translations)
        faults = [*self.notes, *faults]
        text = spliced(self.source.text, replacements)
        if self.errors != "strict":
            return Written(self.source.encode(text, errors=self.errors), tuple(faults))
        data, widened = self.source.encode_or_widen(text)
        return Written(data, (*faults, *widened))


def rendered(places: Iterable[Place], translations: Sequence[str | None]) -> tuple[list[tuple[Span, str]], list[Fault]]:
    """Returns what the translations replace, in order, and the translations that could not be taken over.

    A translation that equals its unit replaces nothing: the document keeps its own way to write the text.
    """
    replacements: list[tuple[Span, str]] = []
    faults = []
    for index, (each, translation) in enumerate(zip(places, translations, strict=True)):
        if translation is None or translation == each.unit.text:
            continue
        try:
            replacements += zip(each.spans, each.render(translation), strict=True)
        except BrokenTags as error:
            faults.append(Fault(f"the source stays: {error}", index))
    return sorted(replacements), faults


def spliced(text: str, replacements: Iterable[tuple[Span, str]]) -> str:
    """Replaces ranges of a text, which are in order and do not overlap."""
    pieces, end = [], 0
    for span, replacement in replacements:
        pieces += [text[end : span.start], replacement]
        end = span.end
    return "".join([*pieces, text[end:]])


def check_units(units: Sequence[Unit], options: DocumentOptions) -> None:
    """Raises InvalidInput for too many units, and for one that is too long."""
    if len(units) > options.max_units:
        raise refused(f"has {len(units)} texts to translate; the limit is {options.max_units}")
    for unit in units:
        if len(unit.text) > options.max_unit_characters:
            raise refused(
                f"has a text of {len(unit.text)} characters without a break ({unit.id}); "
                f"the limit is {options.max_unit_characters}"
            )
