"""A text as its model reads it: segments, each read by itself, with the layout between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from regard_service.bundle import LengthRatios
from regard_service.domain.results import Span, Token
from regard_service.passages.aligned import AlignedText
from regard_service.passages.edits import EditedText
from regard_service.passages.segments import gap
from regard_service.passages.spacing import is_spaced
from regard_service.text.reading import SourceText

Restore = Callable[[AlignedText], AlignedText]
"""Undoes in an output what was changed in its source."""


@dataclass(frozen=True)
class CopiedSegment:
    """A segment that no model reads. Attributes: text: the segment as the source has it."""

    span: Span
    text: str


@dataclass(frozen=True)
class ModelSegment:
    """A segment, ready for the model.

    Attributes:
        span: its place in the whole text.
        edited: from the segment, as the source has it, to the text that the model reads.
        part: what the model reads.
        to_whole: the place in the whole text of a range of the segment; None: `span.start` further.
        restores: undo the edits in the output; the first undoes the last edits.
        needs_alignment: whether a restore reads the alignment.
        is_cut: whether it ends within a sentence, which was too long for the model.
        copied: what is copied: its place in the model's text, and how it stands in the output.
    """

    span: Span
    edited: EditedText
    part: SourceText
    restores: tuple[Restore, ...] = ()
    to_whole: Callable[[Span], Span] | None = None
    needs_alignment: bool = False
    is_cut: bool = False
    copied: tuple[tuple[Span, str], ...] = ()

    @property
    def expected(self) -> str:
        """What the model reads, with what is copied as it stands in the output."""
        text = self.part.text
        return EditedText.replacing(text, sorted(self.copied)).text if self.copied else text

    @property
    def source_tokens(self) -> tuple[Token, ...]:
        """The tokens that the model reads, with spans on the whole text."""
        start, edited = self.span.start, self.edited
        if self.to_whole is not None:
            tokens = zip(self.part.tokens, self.own_spans, strict=True)
            return tuple(t if span is None else t._replace(span=self.to_whole(span)) for t, span in tokens)
        if not start and not edited.edits:
            return self.part.tokens
        return tuple(_placed(token, start, edited) for token in self.part.tokens)

    @property
    def own_spans(self) -> tuple[Span | None, ...]:
        """The place of each token in the segment."""
        return tuple(None if t.span is None else self.edited.to_original(t.span) for t in self.part.tokens)

    def restored(self, aligned: AlignedText) -> AlignedText:
        """Undoes all edits in an output."""
        for restore in self.restores:
            aligned = restore(aligned)
        return aligned


@dataclass(frozen=True)
class Passage:
    """A text in segments.

    Attributes:
        segments: in order.
        source_language, target_language: "" if unknown.
        ratios: how long outputs usually are; None for texts of no natural language.
        translated: the segments that the model reads.
    """

    text: str
    segments: tuple[ModelSegment | CopiedSegment, ...]
    source_language: str = ""
    target_language: str = ""
    ratios: LengthRatios | None = None
    translated: tuple[ModelSegment, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Every call reads them. A cached property takes a lock, which costs more than this, until Python 3.12.
        translated = tuple([each for each in self.segments if isinstance(each, ModelSegment)])
        object.__setattr__(self, "translated", translated)

    @property
    def may_be_copy(self) -> bool:
        """Whether an output may be its source."""
        return self.ratios is None or self.source_language in ("", self.target_language)

    @property
    def is_one(self) -> bool:
        """Whether the whole text is one segment that the model reads."""
        first = self.segments[0] if len(self.segments) == 1 else None
        return isinstance(first, ModelSegment) and first.span == (0, len(self.text))

    def assembled(self, outputs: Sequence[str]) -> tuple[str, list[Span]]:
        """Returns the whole target and the place of every segment in it. Args: outputs: of the translated segments."""
        remaining, places, pieces, position = iter(outputs), [], [], 0
        for segment, before in zip(self.segments, self._gaps, strict=False):
            piece = segment.text if isinstance(segment, CopiedSegment) else next(remaining)
            start = position + len(before)
            position = start + len(piece)
            places.append(Span(start, position))
            pieces += [before, piece]
        return "".join(pieces) + self._gaps[-1], places

    @cached_property
    def leads(self) -> tuple[str, ...]:
        """The target's text before each translated segment, and after the last: layout and copied segments."""
        leads, lead = [], ""
        for segment, before in zip(self.segments, self._gaps, strict=False):
            lead += before
            if isinstance(segment, CopiedSegment):
                lead += segment.text
            else:
                leads.append(lead)
                lead = ""
        return (*leads, lead + self._gaps[-1])

    @cached_property
    def _gaps(self) -> tuple[str, ...]:
        """The target's text before each segment, and after the last."""
        ends = [0, *(each.span.end for each in self.segments)]
        starts = [*(each.span.start for each in self.segments), len(self.text)]
        first, *others = (self.text[end:start] for end, start in zip(ends, starts, strict=True))
        if not others:
            return (first,)
        has_spaces = is_spaced(self.target_language)
        # A mark that is copied, such as that of a footnote, stands as near to its sentence as in the source.
        are_copied = (any(isinstance(each, CopiedSegment) for each in pair) for pair in pairwise(self.segments))
        gaps = (
            "" if is_copied and not each else gap(each, is_spaced=has_spaces)
            for each, is_copied in zip(others[:-1], are_copied, strict=True)
        )
        return (first, *gaps, others[-1])


def _placed(token: Token, start: int, edited: EditedText) -> Token:
    if token.span is None:
        return token
    span = edited.to_original(token.span) if edited.edits else token.span
    return token._replace(span=Span(span.start + start, span.end + start))
