"""Brings a segment into the form that models of natural language were trained on, and its translation into its own."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.edits import EditedText
from regard_service.passages.normalization.casing import is_capital, is_title, lower_case, upper_case
from regard_service.passages.normalization.characters import Replacement, replacements
from regard_service.passages.protection.rules.finding import find
from regard_service.passages.protection.rules.kinds import NUMERIC, Kind

_BULLET = re.compile(r"\s*(?:(?:[-*•‣⁃▪▫●○◦∙·■□►▶➢✓✔–—→»]|\(?[0-9]{1,3}[.)]|\(?[a-zA-Z]\))\s+)")
_STOPS = {
    "zh": "。",
    "ja": "。",
    "hi": "।",
    "mr": "।",
    "ne": "।",
    "bn": "।",
    "pa": "।",
    "hy": "։",
    "my": "။",
    "am": "።",
}
_STOPPED = re.compile(r"(?<![.。．।։။።])[.。．।։။።](?P<after>[\"'”’»)\]]*\s*)$")
_UNSTOPPED_LANGUAGES = frozenset({"th", "lo", "km"})


@dataclass(frozen=True)
class Vocabulary:
    """What normalization asks about a model's tokenizer.

    Attributes:
        num_pieces: the pieces of a word within a sentence.
        knows: whether a character has a piece, so that it is neither unknown nor spelled in bytes.
    """

    num_pieces: Callable[[str], int]
    knows: Callable[[str], bool]


def normalize(
    text: str, language: str, *, kept: Sequence[Span] = (), vocabulary: Vocabulary | None = None
) -> "NormalizedText":
    """Brings a segment into the form that models were trained on.

    Invisible marks go, full-width letters become plain, white space becomes one space, a bullet is cut off. A text in
    capitals, or a title, gets a sentence's case; a text without an end gets a full stop.

    Args:
        text: one segment of a natural language.
        language: BCP 47, such as "de"; "" if unknown.
        kept: ranges whose characters and case are meaning, besides those that protection finds.
        vocabulary: of the model; without it, typographic characters count as known.
    """
    base = language.lower().replace("_", "-").split("-")[0]
    edited = _plain(text, kept, vocabulary)
    bullet = _BULLET.match(edited.text)
    start = bullet.end() if bullet and edited.text[bullet.end() :].strip() else 0
    if start:
        edited = edited.then([(Span(0, start), "")])
    bare = edited.text
    closed = _closed(bare, [edited.to_text(span) for span in kept])
    if not any(c.isalpha() for c in _outside(bare, closed)):
        return NormalizedText.unchanged(text)
    is_upper, is_heading = is_capital(bare, closed), is_title(bare, closed, base)
    changes: list[Replacement] = []
    if is_upper or is_heading:
        changes = lower_case(bare, closed, base, vocabulary.num_pieces if vocabulary else None)
    stop_at = _unstopped_end(bare, base)
    stop = [] if stop_at is None else [(Span(stop_at, stop_at), _STOPS.get(base, "."))]
    head = text[: edited.to_original(Span(0, len(bare))).start] if start else ""
    parts = tuple(bare[slice(*span)] for span in closed)
    return NormalizedText(edited.then([*changes, *stop]), edited.then(stop), head, is_upper, bool(stop), parts)


def _plain(text: str, kept: Sequence[Span], vocabulary: Vocabulary | None) -> EditedText:
    """Returns a text in plain characters, without white space at its ends."""
    closed = list(kept)
    found = sorted(replacements(text, vocabulary.knows if vocabulary else lambda _: True))
    chosen: list[Replacement] = []
    for span, new in found:
        is_open = not any(span.start < other.end and other.start < span.end for other in closed)
        is_change = text[slice(*span)] != new
        if is_change and is_open and (not chosen or chosen[-1][0].end <= span.start):
            chosen.append((span, new))
    return EditedText.replacing(text, chosen)


def _closed(text: str, kept: Iterable[Span]) -> list[Span]:
    """Returns the ranges that neither change their case nor count as words; in order, without overlap."""
    found = [finding.span for finding in find(text) if finding.kind not in NUMERIC]
    merged: list[Span] = []
    for span in sorted([*found, *kept]):
        if merged and span.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(span.end, merged[-1].end))
        elif span.start < span.end:
            merged.append(span)
    return merged


def _outside(text: str, closed: Sequence[Span]) -> str:
    pieces, end = [], 0
    for span in closed:
        pieces.append(text[end : span.start])
        end = span.end
    return "".join([*pieces, text[end:]])


def _unstopped_end(text: str, language: str) -> int | None:
    """Returns where a full stop is missing: after the last word, before emoji; None if none is."""
    end = len(text.rstrip())
    for finding in reversed(find(text)):
        if finding.kind is not Kind.MARK or text[finding.span.end : end].strip():
            break
        end = len(text[: finding.span.start].rstrip())
    if end == 0 or language in _UNSTOPPED_LANGUAGES:
        return None
    return end if text[end - 1].isalnum() or text[end - 1] in ")]}%`" else None


@dataclass(frozen=True)
class NormalizedText:
    """A segment in the form that models were trained on.

    Attributes:
        edited: from the segment to its normal form.
        positions: the same edits without those of the case, which leave positions as they are.
        head: the bullet, as it stood before the text.
        is_upper: the segment is in capitals, and its translation shall be.
        is_stopped: a full stop was added.
        kept: what keeps its case in the translation.
    """

    edited: EditedText
    positions: EditedText
    head: str = ""
    is_upper: bool = False
    is_stopped: bool = False
    kept: tuple[str, ...] = ()

    @classmethod
    def unchanged(cls, text: str) -> "NormalizedText":
        """Returns a segment that is in its normal form."""
        return cls(EditedText.unchanged(text), EditedText.unchanged(text))

    def restore(self, aligned: AlignedText, language: str = "") -> AlignedText:
        """Brings a translation into the form of the segment.

        Args:
            aligned: of `edited.text`.
            language: that of the target, whose capitals are written.

        Returns:
            the same tokens on the segment and on its translation.
        """
        edited = EditedText.unchanged(aligned.target)
        if self.is_stopped:
            edited = edited.then(_without_stop(edited.text))
        if self.head:
            edited = edited.then([(Span(0, 0), self.head)])
        sources = tuple(None if span is None else self.positions.to_original(span) for span in aligned.source_spans)
        targets = tuple(None if span is None else edited.to_text(span) for span in aligned.target_spans)
        target = edited.text
        if self.is_upper:
            characters = self._capitals(edited.text, language)
            starts = [0, *accumulate(len(character) for character in characters)]
            targets = tuple(None if span is None else Span(starts[span.start], starts[span.end]) for span in targets)
            target = "".join(characters)
        return AlignedText(self.edited.original, target, sources, targets, aligned.weights)

    def _capitals(self, text: str, language: str) -> list[str]:
        """Returns the capital of each character, outside of what keeps its case."""
        characters = [upper_case(character, language) for character in text]
        kept = (Span(*m.span()) for part in self.kept if part for m in re.finditer(re.escape(part), text))
        for span in _closed(text, kept):
            characters[slice(*span)] = text[slice(*span)]
        return characters


def _without_stop(text: str) -> list[Replacement]:
    """Returns the change that takes away the full stop at the end of a text, before emoji."""
    end = len(text)
    for finding in reversed(find(text)):
        if finding.kind is not Kind.MARK or text[finding.span.end : end].strip():
            break
        end = finding.span.start
    match = _STOPPED.search(text[:end])
    return [(Span(match.start(), match.start() + 1), "")] if match else []
