"""Prepares a segment for the model: joins lines, brings it into its normal form, protects what must be copied."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from regard_service.calls.passages import Restore
from regard_service.domain.results import Span
from regard_service.passages.edits import EditedText, compose
from regard_service.passages.normalization.normalize import Rank, normalize
from regard_service.passages.protection.options import ProtectionOptions
from regard_service.passages.protection.patterns import Pattern
from regard_service.passages.protection.protect import protect
from regard_service.passages.protection.unread import Lacks
from regard_service.passages.segments import Segment
from regard_service.passages.spacing import is_spaced

# A sentence of plain words, as most are: there is nothing to normalize and nothing to protect, and to find that out
# word by word would take longer than all else that happens to it. At most the first letters of words are capitals.
_WORD = r"(?:[A-Z\u00c0-\u00d6\u00d8-\u00de]?+[a-z\u00df-\u00f6\u00f8-\u00ff']++|I|A)"
_PLAIN = re.compile(rf"{_WORD}(?:,?+ {_WORD})*+[.!?]")


@dataclass(frozen=True)
class Prepared:
    """A segment as the model reads it.

    Attributes:
        edited: from the segment to the model's text.
        restores: undo the edits in the output, the last edits first.
        copied: what is copied: its place in the model's text, and how it stands in the output.
        is_all_copied: nothing of it is for a model.
    """

    edited: EditedText
    restores: tuple[Restore, ...] = ()
    copied: tuple[tuple[Span, str], ...] = ()
    needs_alignment: bool = False
    is_all_copied: bool = False


@dataclass(frozen=True)
class Preparation:
    """What happens to the segments of natural language of one call.

    Attributes:
        source_language, target_language: BCP 47 codes; "" if unknown.
        patterns: a caller's own, of what is copied.
        rank: how rare a word is in the model's vocabulary.
        lacks: whether that lacks a character of a text; None: it lacks none.
    """

    source_language: str
    target_language: str
    patterns: tuple[Pattern, ...] = ()
    rank: Rank | None = None
    lacks: Lacks | None = None

    def is_plain(self, text: str) -> bool:
        """Whether a text is one sentence of plain words, which the model reads as it stands."""
        if self.patterns or _PLAIN.fullmatch(text) is None:
            return False
        return text.isascii() or self.lacks is None or not self.lacks(text)

    def prepare(
        self, text: str, segment: Segment, kept: Sequence[Span] = (), released: Sequence[Span] = ()
    ) -> Prepared:
        """Prepares a segment.

        Args:
            kept: the caller's own ranges of `text`, which are copied.
            released: ranges of the segment within which nothing is copied.
        """
        whole = text[slice(*segment.span)]
        if not (segment.breaks or kept) and self.is_plain(whole):
            return Prepared(EditedText.unchanged(whole))
        own = _within(segment.span, kept)
        unwrapped = segment.unwrapped(
            text, is_spaced=is_spaced(self.source_language), is_target_spaced=is_spaced(self.target_language)
        )
        own, released = ([unwrapped.edited.to_text(span) for span in spans] for spans in (own, released))
        normalized = normalize(unwrapped.edited.text, self.source_language, kept=own, rank=self.rank)
        own, released = ([normalized.edited.to_text(span) for span in spans] for spans in (own, released))
        protected = protect(normalized.edited.text, self._protection_of(own, released))
        edits = (unwrapped.edited, normalized.edited, protected.edited)
        restores: list[Restore] = []
        if protected.edited.edits or protected.items:
            restores.append(protected.restore)
        if normalized.edited.edits:
            restores.append(partial(normalized.restore, language=self.target_language))
        if unwrapped.breaks:
            restores.append(unwrapped.restore)
        needs_alignment = normalized.needs_alignment or protected.needs_alignment
        copied = tuple((placed.source, placed.item.text) for placed in protected.items)
        return Prepared(_composed(edits), tuple(restores), copied, needs_alignment, protected.is_all_copied)

    @cached_property
    def _protection(self) -> ProtectionOptions:
        return ProtectionOptions(self.source_language, self.target_language, self.patterns, lacks=self.lacks)

    def _protection_of(self, spans: Sequence[Span], released: Sequence[Span]) -> ProtectionOptions:
        if not (spans or released):
            return self._protection
        return replace(self._protection, spans=tuple(spans), released=tuple(released))


def _composed(edits: Sequence[EditedText]) -> EditedText:
    changed = [each for each in edits if each.edits] or [edits[0]]
    first, *others = changed
    for other in others:
        first = compose(first, other)
    return first


def _within(segment: Span, spans: Sequence[Span]) -> list[Span]:
    """Returns the parts of ranges that are in a segment, on the segment's own positions."""
    start, end = segment
    clipped = (Span(max(span.start, start) - start, min(span.end, end) - start) for span in spans)
    return [span for span in clipped if span.start < span.end]
