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
    """Units that are written together, and where.

    Attributes:
        units: one, or several that share their ranges, such as the parts of a line.
        spans: where they stand, in code points of the document's text: one range, or several that share the units.
        render: makes the text of each range from the units' translations; None stands for a unit that stays.
        stays_if_equal: whether translations that equal their units change nothing.
    """

    units: tuple[Unit, ...]
    spans: tuple[Span, ...]
    render: Callable[[Sequence[str | None]], Sequence[str]]
    stays_if_equal: bool = True

    def is_changed(self, translations: Sequence[str | None]) -> bool:
        """Whether translations change the document."""
        given = [(text, unit) for text, unit in zip(translations, self.units, strict=True) if text is not None]
        return any(not self.stays_if_equal or text != unit.text for text, unit in given)


def place(unit: Unit, span: Span, render: Render = str) -> Place:
    """Returns the place of a unit that stands in one range."""
    return Place((unit,), (span,), lambda translations: [render(each) for each in translations if each is not None])


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
        return units_of(self.places)

    def write(self, translations: Sequence[str | None]) -> Written:
        """Returns the document with the translations."""
        replacements, faults = rendered(self.places, translations)
        faults = [*self.notes, *faults]
        text = spliced(self.source.text, replacements)
        if self.errors != "strict":
            return Written(self.source.encode(text, errors=self.errors), tuple(faults))
        data, widened = self.source.encode_or_widen(text)
        return Written(data, (*faults, *widened))


def units_of(places: Iterable[Place]) -> list[Unit]:
    """Returns the units of places, in order."""
    return [unit for each in places for unit in each.units]


def rendered(places: Iterable[Place], translations: Sequence[str | None]) -> tuple[list[tuple[Span, str]], list[Fault]]:
    """Returns what the translations replace, in order, and the translations that could not be taken over.

    A place whose translations equal its units is not replaced: the document keeps its own way to write the text. A
    place without units, such as a header, is replaced if there is any translation.
    """
    replacements: list[tuple[Span, str]] = []
    faults: list[Fault] = []
    start, has_any = 0, any(each is not None for each in translations)
    for each in places:
        given = list(translations[start : start + len(each.units)])
        texts = _rendered(each, given, start, faults) if each.units else has_any and each.render(())
        replacements += zip(each.spans, texts, strict=True) if texts else ()
        start += len(each.units)
    if start != len(translations):
        raise ValueError(f"{len(translations)} translations of {start} units")
    return sorted(replacements), faults


def _rendered(each: Place, given: list[str | None], start: int, faults: list[Fault]) -> Sequence[str] | None:
    """Renders a place. A unit whose translation is broken stays, and is reported."""
    while each.is_changed(given):
        try:
            return each.render(given)
        except BrokenTags as error:
            faults.append(Fault(f"the source stays: {error}", start + error.unit))
            given[error.unit] = None
    return None


def spliced(text: str, replacements: Iterable[tuple[Span, str]]) -> str:
    """Replaces ranges of a text, which are in order and do not overlap."""
    pieces, end = [], 0
    for span, replacement in replacements:
        pieces += [text[end : span.start], replacement]
        end = span.end
    return "".join([*pieces, text[end:]])


def bounded(places: Sequence[Place], options: DocumentOptions) -> tuple[list[Place], tuple[Fault, ...]]:
    """Returns the places whose texts are short enough, and a note on each other one, which stays as it is.

    Raises:
        InvalidInput: there are too many texts.
    """
    num_units = sum(len(each.units) for each in places)
    if num_units > options.max_units:
        raise refused(f"has {num_units} texts to translate; the limit is {options.max_units}")
    limit = options.max_unit_characters
    notes = tuple(
        Fault(f"{unit.id}: a text of {len(unit.text)} characters stays as it is; the limit is {limit}")
        for each in places
        for unit in each.units
        if len(unit.text) > limit
    )
    return [each for each in places if all(len(unit.text) <= limit for unit in each.units)], notes
