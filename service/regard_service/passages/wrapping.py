"""Hard-wrapped lines: joined for the model, broken again in its output at about the same places."""

from collections.abc import Sequence
from dataclasses import dataclass

from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.edits import EditedText


@dataclass(frozen=True)
class UnwrappedText:
    """A segment without the breaks of its lines.

    Attributes:
        edited: the segment, and the text with a space in place of each break.
        is_target_spaced: whether the target's language has spaces between words; others are broken anywhere.
    """

    edited: EditedText
    breaks: tuple[Span, ...]
    is_target_spaced: bool = True

    def restore(self, aligned: AlignedText) -> AlignedText:
        """Puts every break back into the target, at the space nearest to its place in the source.

        Where the target has fewer spaces than the source has breaks, the rest follows at its end.
        """
        if not self.breaks:
            return aligned
        original = self.edited.original
        edited = EditedText.replacing(aligned.target, self._replacements(aligned.target))
        return AlignedText(
            original,
            edited.text,
            tuple(None if span is None else self.edited.to_original(span) for span in aligned.source_spans),
            tuple(None if span is None else edited.to_text(span) for span in aligned.target_spans),
            aligned.weights,
        )

    def _replacements(self, target: str) -> list[tuple[Span, str]]:
        """Returns, for each break, the place of the target that it replaces."""
        spaces = [Span(i, i + 1) for i, character in enumerate(target) if character == " "]
        if not self.is_target_spaced:
            spaces = [Span(i, i) for i in range(1, len(target))]
        original = self.edited.original
        places: list[tuple[Span, str]] = []
        first = 0
        for number, span in enumerate(self.breaks):
            num_after = len(self.breaks) - number - 1
            ideal = span.start / len(original) * len(target)
            candidates = range(first, max(first, len(spaces) - num_after))
            if not candidates:
                places.append((Span(len(target), len(target)), original[slice(*span)]))
                continue
            best = min(candidates, key=lambda index: abs(spaces[index].start - ideal))
            places.append((spaces[best], original[slice(*span)]))
            first = best + 1
        return places


def unwrap(segment: str, breaks: Sequence[Span], *, is_spaced: bool, is_target_spaced: bool = True) -> UnwrappedText:
    """Joins the lines of a segment.

    Args:
        breaks: ranges of the segment, in order.
        is_spaced, is_target_spaced: whether source's and target's language have spaces between words.
    """
    joint = " " if is_spaced else ""
    return UnwrappedText(
        EditedText.replacing(segment, [(span, joint) for span in breaks]), tuple(breaks), is_target_spaced
    )
