"""Reads a text to translate: cuts it into segments and prepares each for the model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from regard_service.calls.passages import CopiedSegment, ModelSegment, Passage, Restore
from regard_service.domain.calls import TextOptions, Truncation, Unit
from regard_service.domain.results import Span
from regard_service.passages.edits import EditedText
from regard_service.passages.segments import Segment, cut_text, has_letters, is_spaced, pack
from regard_service.text.reading import SourceReader, SourceText

# A segment that is too long is cut; a part of it may still be, as its tokens change at the cut. After so many cuts its
# end is dropped, with a warning.
MAX_CUTS = 4


@dataclass(frozen=True)
class PassageReader:
    """Reads the texts of one call.

    Attributes:
        key: target language or style.
        source_language, target_language: BCP 47 codes; "" if unknown.
        language: the source language, for models that read its name; else "".
        truncation: of a segment that is longer than the model takes; None cuts it into several.
        max_passage_tokens: with the unit "passage".
    """

    reader: SourceReader
    key: str
    source_language: str
    target_language: str
    language: str
    unit: Unit
    options: TextOptions
    truncation: Truncation | None
    max_passage_tokens: int

    def read(self, text: str, index: int) -> Passage:
        """Reads a text.

        Args:
            index: of the text in its call.

        Raises:
            InvalidInput: a segment is too long and `truncation` is "reject".
        """
        cut = self._cut(text)
        segments = tuple(planned for each in cut for planned in self._planned(text, each, f"texts[{index}]"))
        return Passage(text, segments, self.source_language, self.target_language)

    def _cut(self, text: str) -> list[Segment]:
        if self.unit == "whole":
            return [Segment(Span(0, len(text)))] if text and not text.isspace() else []
        sentences = cut_text(text, self.source_language)
        if self.unit == "sentence":
            return sentences
        sizes = [self.reader.num_pieces(text[slice(*each.span)]) for each in sentences]
        return pack(sentences, text, sizes, self.max_passage_tokens)

    def _planned(
        self, text: str, segment: Segment, field: str, num_cuts: int = 0
    ) -> Iterator[ModelSegment | CopiedSegment]:
        """Yields a segment as the model reads it; several if it is too long for the model."""
        own = text[slice(*segment.span)]
        if self.unit != "whole" and not has_letters(own):
            yield CopiedSegment(segment.span, own)
            return
        edited, restores = self._edited(text, segment)
        part = self._part(edited.text, field)
        if part is None:
            yield CopiedSegment(segment.span, own)
        elif part.num_truncated and self.truncation in (None, "split") and num_cuts < MAX_CUTS:
            cut = list(self._cut_at_tokens(text, segment, edited, field))
            for number, smaller in enumerate(cut):
                for planned in self._planned(text, smaller, field, num_cuts + 1):
                    is_last = number == len(cut) - 1
                    yield planned if is_last or isinstance(planned, CopiedSegment) else replace(planned, is_cut=True)
        else:
            yield ModelSegment(segment.span, edited, part, restores)

    def _edited(self, text: str, segment: Segment) -> tuple[EditedText, tuple[Restore, ...]]:
        """Returns the text that the model reads instead of a segment, and what undoes the edits, last ones first."""
        if not segment.breaks:
            return EditedText.unchanged(text[slice(*segment.span)]), ()
        unwrapped = segment.unwrapped(text, is_spaced=is_spaced(self.source_language))
        return unwrapped.edited, (unwrapped.restore,)

    def _part(self, text: str, field: str) -> SourceText | None:
        """Returns a segment's tokens; None if there are none."""
        truncation: Literal["reject", "truncate"] = "reject" if self.truncation == "reject" else "truncate"
        return self.reader.read_if_any(text, field=field, key=self.key, truncation=truncation, language=self.language)

    def _cut_at_tokens(self, text: str, segment: Segment, edited: EditedText, field: str) -> Iterator[Segment]:
        """Yields the parts of a segment that is too long."""
        parts = self.reader.read_parts(edited.text, field=field, key=self.key, language=self.language)
        offset, start = segment.span.start, segment.span.start
        firsts = [next(token.span for token in part.tokens if token.span is not None) for part in parts[1:]]
        for end in [edited.to_original(first).start + offset for first in firsts]:
            content = text[start:end].rstrip()
            if content:
                yield segment.part(Span(start, start + len(content)))
                start = end
        yield segment.part(Span(start, segment.span.end))
