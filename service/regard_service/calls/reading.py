"""Reads a text to translate: cuts it into segments and prepares each for the model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from regard_service.bundle import LengthRatios
from regard_service.calls.marked_passages import Frame, MarkedPassage
from regard_service.calls.passages import CopiedSegment, ModelSegment, Passage
from regard_service.calls.prefixes import PrefixReader
from regard_service.calls.preparing import Preparation, Prepared
from regard_service.calls.terms import TermReader
from regard_service.domain.calls import Truncation, Unit
from regard_service.domain.elements import NO_RULES, ElementRules
from regard_service.domain.results import Span
from regard_service.errors import InvalidInput
from regard_service.passages.edits import EditedText
from regard_service.passages.markup.entities import MarkupFormat
from regard_service.passages.markup.parse import parse
from regard_service.passages.markup.tokens import MarkupError
from regard_service.passages.segments import Segment, cut_text, has_letters, pack
from regard_service.pictures.abandoned import check
from regard_service.text.reading import SourceReader, SourceText

# A segment that is too long is cut; a part of it may still be, as its tokens change at the cut. After so many cuts its
# end is dropped, with a warning.
MAX_CUTS = 4

# Tokens that a part may have beyond those it was cut by: a full stop that ends it, the mark of a word's begin, a word
# that is cut differently.
NUM_RESERVED_TOKENS = 4


@dataclass(frozen=True)
class PassageReader:
    """Reads the texts of one call.

    Attributes:
        key: target language or style.
        preparation: of segments of natural language.
        language: the source language, for models that read its name; else "".
        truncation: of a segment that is longer than the model takes; None cuts it into several.
        max_passage_tokens: with the unit "passage".
        ratios: how long outputs usually are.
        markup: the format of texts with tags; None for plain ones.
        elements: what the caller says about the elements of markup.
        kept: the caller's ranges that are copied, by the index of their text.
        control_tokens: those of the model's that the texts may contain.
        terms: finds the caller's terms; None without any.
        prefixes: puts the beginnings of outputs into segments; None without any.
    """

    reader: SourceReader
    key: str
    preparation: Preparation
    language: str
    unit: Unit
    truncation: Truncation | None
    max_passage_tokens: int
    ratios: LengthRatios
    kept: Mapping[int, Sequence[Span]] = field(default_factory=dict)
    control_tokens: frozenset[str] = frozenset()
    markup: MarkupFormat | None = None
    elements: ElementRules = NO_RULES
    terms: TermReader | None = None
    prefixes: PrefixReader | None = None

    def read(self, text: str, index: int) -> Passage:
        """Reads a text.

        Args:
            index: of the text in its call.

        Raises:
            InvalidInput: a segment is too long and `truncation` is "reject".
        """
        field = f"texts[{index}]"
        preparation = self.preparation
        if self.markup is not None:
            return self._marked(text, index, self.markup)
        segments: tuple[ModelSegment | CopiedSegment, ...] = ()
        if not self.kept and self.terms is None and preparation.is_plain(text):
            part = self._part(text, field)
            if part is not None and not part.num_truncated:
                segments = (ModelSegment(Span(0, len(text)), EditedText.unchanged(text), part),)
        if not segments:
            reading = _Reading(text, field, self.kept.get(index, ()))
            segments = tuple(planned for each in self._cut(text) for planned in self._planned(reading, each))
        if self.prefixes is not None:
            segments = self.prefixes.added(segments, index)
        return self._passage(text, segments)

    def _passage(self, text: str, segments: tuple[ModelSegment | CopiedSegment, ...]) -> Passage:
        languages = self.preparation.source_language, self.preparation.target_language
        return Passage(text, segments, *languages, None if self.unit == "whole" else self.ratios)

    def _marked(self, text: str, index: int, markup: MarkupFormat) -> Passage:
        """Reads a text with tags. Raises InvalidInput also where it is not well-formed."""
        try:
            marked = parse(text, markup, self.elements)
        except MarkupError as fault:
            raise InvalidInput.of(f"texts[{index}]", str(fault)) from fault
        segments: list[ModelSegment | CopiedSegment] = []
        places: list[tuple[int, Span]] = []
        for number, unit in enumerate(marked.units):
            frame = Frame(unit, text)
            own = [found for span in self.kept.get(index, ()) if (found := frame.to_unit(span)) is not None]
            reading = _Reading(unit.text, f"texts[{index}]", sorted([*own, *unit.protected]))
            for planned in [each for cut in self._cut(unit.text) for each in self._planned(reading, cut)]:
                places.append((number, planned.span))
                segments.append(_in_frame(planned, frame))
        languages = self.preparation.source_language, self.preparation.target_language
        return MarkedPassage(text, tuple(segments), *languages, self.ratios, marked, tuple(places))

    def _cut(self, text: str) -> list[Segment]:
        if self.unit == "whole":
            return [Segment(Span(0, len(text)))] if text and not text.isspace() else []
        sentences = cut_text(text, self.preparation.source_language)
        if self.unit == "sentence":
            return sentences
        sizes = [self.reader.num_pieces(text[slice(*each.span)], self.control_tokens) for each in sentences]
        return pack(sentences, text, sizes, self.max_passage_tokens)

    def _planned(
        self, reading: "_Reading", segment: Segment, num_cuts: int = 0
    ) -> Iterator[ModelSegment | CopiedSegment]:
        """Yields a segment as the model reads it; several if it is too long for the model.

        Raises:
            Abandoned: in a thread whose call has ended: a text may have thousands of segments.
        """
        check()
        own = reading.text[slice(*segment.span)]
        found = self.terms.find(own) if self.terms is not None else []
        prepared = self._prepared(reading, segment, own, [each.span for each in found])
        part = None if prepared.is_all_copied else self._part(prepared.edited.text, reading.field)
        if part is None:
            yield CopiedSegment(segment.span, own)
        elif part.num_truncated and self.truncation in (None, "split") and num_cuts < MAX_CUTS:
            cut = list(self._cut_at_tokens(reading, segment, prepared.edited))
            for number, smaller in enumerate(cut):
                for planned in self._planned(reading, smaller, num_cuts + 1):
                    is_last = number == len(cut) - 1
                    yield planned if is_last or isinstance(planned, CopiedSegment) else replace(planned, is_cut=True)
        else:
            if self.terms is not None and found:
                copied = [span for span, _ in prepared.copied]
                part = self.terms.added(part, found, prepared.edited, copied, field=reading.field)
            yield ModelSegment(
                segment.span,
                prepared.edited,
                part,
                prepared.restores,
                needs_alignment=prepared.needs_alignment,
                copied=prepared.copied,
            )

    def _prepared(self, reading: "_Reading", segment: Segment, own: str, released: Sequence[Span]) -> Prepared:
        if self.unit == "whole" or self.control_tokens:  # to which the rules of natural language do not apply
            return Prepared(EditedText.unchanged(own))
        if not has_letters(own):
            return Prepared(EditedText.unchanged(own), is_all_copied=True)
        return self.preparation.prepare(reading.text, segment, reading.kept, released)

    def _part(self, text: str, field: str) -> SourceText | None:
        """Returns a segment's tokens; None if there are none."""
        truncation: Literal["reject", "truncate"] = "reject" if self.truncation == "reject" else "truncate"
        return self.reader.read_if_any(
            text,
            field=field,
            key=self.key,
            truncation=truncation,
            language=self.language,
            control_tokens=self.control_tokens,
        )

    def _cut_at_tokens(self, reading: "_Reading", segment: Segment, edited: EditedText) -> Iterator[Segment]:
        """Yields the parts of a segment that is too long."""
        parts = self.reader.read_parts(
            edited.text,
            field=reading.field,
            key=self.key,
            language=self.language,
            control_tokens=self.control_tokens,
            num_reserved=0 if self.unit == "whole" else NUM_RESERVED_TOKENS,
        )
        offset, start = segment.span.start, segment.span.start
        firsts = [next(token.span for token in part.tokens if token.span is not None) for part in parts[1:]]
        for end in [edited.to_original(first).start + offset for first in firsts]:
            content = reading.text[start:end].rstrip()
            if content:
                yield segment.part(Span(start, start + len(content)))
                start = end
        yield segment.part(Span(start, segment.span.end))


def _in_frame(segment: ModelSegment | CopiedSegment, frame: Frame) -> ModelSegment | CopiedSegment:
    """Returns a segment of a unit's text as one of the whole text."""
    whole = frame.to_whole(segment.span)
    if isinstance(segment, CopiedSegment):
        return CopiedSegment(whole, segment.text)
    start = segment.span.start

    def to_whole(span: Span) -> Span:
        # What was added at the end, a full stop, stands at the end of the segment, not around the tags after it.
        found = frame.to_whole(Span(span.start + start, span.end + start))
        return Span(*(min(max(position, whole.start), whole.end) for position in found))

    needs_alignment = segment.needs_alignment or frame.has_tags
    return replace(segment, span=whole, to_whole=to_whole, needs_alignment=needs_alignment)


class _Reading(NamedTuple):
    """A text that is read. Attributes: field: its path in the request; kept: ranges that are copied."""

    text: str
    field: str
    kept: Sequence[Span]
