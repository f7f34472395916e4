"""A whole text with its units translated."""

from collections.abc import Sequence
from dataclasses import dataclass

from regard_service.domain.results import Span
from regard_service.passages.markup.output import Output, Replacement
from regard_service.passages.markup.segments import TranslatedSegment, WrittenSegment, write_unit
from regard_service.passages.markup.units import MarkedText


@dataclass(frozen=True)
class WrittenText:
    """The whole output.

    Attributes:
        segments: of each unit, in the order of `MarkedText.units`.
    """

    text: str
    segments: tuple[tuple[WrittenSegment, ...], ...]


def write(marked: MarkedText, translations: Sequence[Sequence[TranslatedSegment]]) -> WrittenText:
    """Writes a text with its units translated; all that is outside of the segments is copied.

    Args:
        translations: of each unit its segments, in order, without overlap; a unit without any is copied.
    """
    found: dict[int, list[WrittenSegment]] = {}
    values: dict[int, Replacement] = {}
    for index, unit in enumerate(marked.units):
        if unit.quote is not None:
            attribute = Output(marked.source)
            found[index] = write_unit(attribute, unit, translations[index])
            values[index] = Replacement(unit.span, attribute.text)
    output, position = Output(marked.source, list(values.values())), 0
    for index, unit in enumerate(marked.units):
        if unit.quote is None:
            output.copy(Span(position, unit.span.start))
            found[index] = write_unit(output, unit, translations[index])
            position = unit.span.end
    output.copy(Span(position, len(marked.source)))
    for index, value in values.items():
        found[index] = [segment.moved(value.target_start) for segment in found[index]]
    return WrittenText(output.text, tuple(tuple(found[index]) for index in range(len(marked.units))))
