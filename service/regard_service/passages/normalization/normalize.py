"""Brings a segment into the form that models of natural language were trained on, and its translation into its own."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from regard_service.domain.results import Span
from regard_service.passages.aligned import AlignedText
from regard_service.passages.edits import EditedText
from regard_service.passages.normalization import characters, typography
from regard_service.passages.normalization.casing import capital_runs, is_capital, is_title, lower_case, upper_case
from regard_service.passages.normalization.characters import Replacement
from regard_service.passages.protection.rules.finding import find
from regard_service.passages.protection.rules.kinds import NUMERIC, Kind
from regard_service.passages.protection.words import word_map

_Step = Callable[[str], Iterable[Replacement]]
_BULLET = re.compile(r"\s*(?:(?:[-*•‣⁃▪▫●○◦∙·■□►▶➢✓✔–—→»]|\(?[0-9]{1,3}[.)]|\(?[a-zA-Z]\))\s+)+")
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
_STOPPED = re.compile(r"(?<![.。．।։။።])[.。．।։။።](?P<after>[\"'“”‘’»«)\]]*\s*)$")
_ODD_ENDING = re.compile(r"(?<=[\w\")\]'”’])(?:[!?]{2,}|:)$")
_MAX_ENDING = 40  # characters; longer ones are no marks
_LAST_MARK = re.compile(r"(?<![.!?。！？।։။])[.!?。！？।։။]$")
_OPENING_MARK = re.compile(r"^[¡¿]")
_ENDS = frozenset(".!?")
# A word that is no acronym, at the start.
_CAPITALIZED = re.compile(r"[\"'“‘«¿¡(\[]?(?P<first>[^\W\d_])(?=[^\W\d_]*(?!\w))(?![^\W\d_]*[A-ZÀ-Þ])")
_CAPITAL_NOUNS = ("de", "lb")
_UNSTOPPED_LANGUAGES = frozenset({"th", "lo", "km"})


Rank = Callable[[str], tuple[int, ...]]
"""How rare a word is in a model's vocabulary: the number of its pieces, and the largest id of them."""


def normalize(text: str, language: str, *, kept: Sequence[Span] = (), rank: Rank | None = None) -> "NormalizedText":
    """Brings a segment into the form that models were trained on.

    Invisible marks go, full-width letters become plain, white space becomes one space, a bullet is cut off. A text in
    capitals, or a title, gets a sentence's case; a text without an end gets a full stop.

    Args:
        text: one segment of a natural language.
        language: BCP 47, such as "de"; "" if unknown.
        kept: ranges whose characters and case are meaning, besides those that protection finds.
        rank: of the model's vocabulary, which decides about words in capitals: the more common spelling is taken.
    """
    base = language.lower().replace("_", "-").split("-")[0]
    edited = _plain(text, kept)
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
    runs = [] if is_upper or is_heading else capital_runs(bare, closed, rank)
    if is_upper or is_heading or runs:
        changes = lower_case(bare, closed, base, rank, runs or None)
    ending = _odd_ending(bare, closed)
    stop_at = None if ending else _unstopped_end(bare, base)
    stop = [] if stop_at is None else [(Span(stop_at, stop_at), _STOPS.get(base, "."))]
    if ending:
        stop = [(Span(len(bare.rstrip()) - len(ending), len(bare.rstrip())), _plain_mark(ending, base))]
    if not (changes or stop or edited.edits):
        return NormalizedText.unchanged(text)
    head = text[: edited.to_original(Span(0, len(bare))).start] if start else ""
    parts = tuple(bare[slice(*span)] for span in closed)
    return NormalizedText(
        edited=edited.then([*changes, *stop]),
        positions=edited.then(stop),
        head=head,
        is_upper=is_upper,
        runs=tuple(runs),
        is_stopped=stop_at is not None,
        ending=ending,
        is_entry=stop_at is not None and _first_letter(bare).islower(),
        marks=typography.marks_of(text),
        kept=parts,
    )


def _plain(text: str, kept: Sequence[Span]) -> EditedText:
    """Returns a text in plain characters. Each step reads what the one before it left."""
    edited = EditedText.unchanged(text)
    if text.isascii() and text.isprintable() and "  " not in text:
        return edited  # most texts
    steps: list[_Step] = [characters.invisible, characters.odd_spaces]
    if not text.isascii():
        steps[1:1] = [characters.joiners]
        steps += [characters.wide, characters.combined, typography.plain]
    for step in steps:
        changes = _chosen(edited.text, step(edited.text), [edited.to_text(span) for span in kept])
        edited = edited.then(changes) if changes else edited
    return edited


def _chosen(text: str, found: Iterable[Replacement], kept: Sequence[Span]) -> list[Replacement]:
    """Returns the replacements that change something outside of the ranges that are kept; the first of two."""
    chosen: list[Replacement] = []
    for span, new in sorted(found):
        is_open = not any(span.start < other.end and other.start < span.end for other in kept)
        if text[slice(*span)] != new and is_open and (not chosen or chosen[-1][0].end <= span.start):
            chosen.append((span, new))
    return chosen


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
    if text[:end][-1:] in _ENDS:
        return None
    for finding in reversed(find(text)):
        if finding.kind is not Kind.MARK or text[finding.span.end : end].strip():
            break
        end = len(text[: finding.span.start].rstrip())
    if end == 0 or language in _UNSTOPPED_LANGUAGES:
        return None
    is_end = unicodedata.category(text[end - 1])[0] in "LMN" or text[end - 1] in ")]}%`"
    return end if is_end else None


def _first_letter(text: str) -> str:
    return next((c for c in text if c.isalpha()), "")


def _with_small_start(text: str) -> list[Replacement]:
    """Returns the change that makes the first letter of a text a small one, unless it may be that of a name."""
    match = _CAPITALIZED.match(text)
    return [(Span(match.start("first"), match.end("first")), match["first"].lower())] if match else []


def _odd_ending(text: str, closed: Sequence[Span]) -> str:
    """Returns the marks at the end of a text of which models know one: several, or a colon; else "".

    Args:
        closed: ranges that stay as they are.
    """
    end = len(text.rstrip())
    match = _ODD_ENDING.search(text[max(0, end - _MAX_ENDING) : end])
    return "" if any(span.end >= end for span in closed) or match is None else match[0]


def _plain_mark(ending: str, language: str) -> str:
    return _STOPS.get(language, ".") if ending == ":" else "?" if "?" in ending else "!"


def _with_ending(text: str, ending: str, language: str) -> list[Replacement]:
    """Returns the changes that give a text its own marks at the end."""
    match = _LAST_MARK.search(text)
    start, end = match.span() if match else (len(text.rstrip()),) * 2
    if ending != ":":
        return [(Span(start, end), ending)]
    opening = _OPENING_MARK.match(text)
    start = len(text[:start].rstrip())
    colon = "\u00a0:" if language.lower().startswith("fr") else ":"
    return [*([(Span(*opening.span()), "")] if opening and start else []), (Span(start, end), colon)]


@dataclass(frozen=True)
class NormalizedText:
    """A segment in the form that models were trained on.

    Attributes:
        edited: from the segment to its normal form.
        positions: the same edits without those of the case, which leave positions as they are.
        head: the bullet, as it stood before the text.
        is_upper: the segment is in capitals, and its translation shall be.
        runs: ranges of `edited.text` that are in capitals in the segment, which has small letters elsewhere.
        is_stopped: a full stop was added.
        is_entry: it has no end and begins with a small letter, as entries of lists do.
        ending: the marks at the end of the segment for which one mark was put, such as "?!".
        marks: plain forms of the typographic characters that the segment holds.
        kept: what keeps its case in the translation.
    """

    edited: EditedText
    positions: EditedText
    head: str = ""
    is_upper: bool = False
    runs: tuple[Span, ...] = ()
    is_stopped: bool = False
    ending: str = ""
    is_entry: bool = False
    marks: frozenset[str] = frozenset()
    kept: tuple[str, ...] = ()

    @classmethod
    def unchanged(cls, text: str) -> "NormalizedText":
        """Returns a segment that is in its normal form."""
        return cls(EditedText.unchanged(text), EditedText.unchanged(text))

    @property
    def needs_alignment(self) -> bool:
        """Whether `restore` is better with weights."""
        return bool(self.runs)

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
        if self.is_entry and language.lower()[:2] not in _CAPITAL_NOUNS:
            edited = edited.then(_with_small_start(edited.text))
        if self.ending:
            edited = edited.then(_with_ending(edited.text, self.ending, language))
        if self.marks:
            closed = _closed(edited.text, self._kept_in(edited.text))
            edited = edited.then(typography.typographic(edited.text, self.marks, language, closed))
        if self.head:
            edited = edited.then([(Span(0, 0), self.head)])
        sources = tuple(None if span is None else self.positions.to_original(span) for span in aligned.source_spans)
        targets = tuple(None if span is None else edited.to_text(span) for span in aligned.target_spans)
        target = edited.text
        ranges = self._capital_ranges(aligned, edited)
        if ranges:
            capitals = self._capitals(target, language, ranges)
            starts = [0, *accumulate(len(capital) for capital in capitals)]
            targets = tuple(None if span is None else Span(starts[span.start], starts[span.end]) for span in targets)
            target = "".join(capitals)
        return AlignedText(self.edited.original, target, sources, targets, aligned.weights)

    def _capital_ranges(self, aligned: AlignedText, edited: EditedText) -> list[Span]:
        """Returns the ranges of the restored target that are in capitals: all, or words made of those in capitals."""
        if self.is_upper:
            return [Span(0, len(edited.text))]
        if not self.runs or aligned.weights is None:
            return []
        map_ = word_map(aligned)
        mass = sum((map_.mass(run) for run in self.runs), np.zeros(len(map_.words), np.float32))
        return [edited.to_text(word) for word, share in zip(map_.words, mass, strict=True) if share > 0.5]

    def _capitals(self, text: str, language: str, ranges: Sequence[Span]) -> list[str]:
        """Returns the characters of a text, those in some ranges as capitals, but what keeps its case."""
        capitals = list(text)
        for span in ranges:
            capitals[slice(*span)] = [upper_case(character, language) for character in text[slice(*span)]]
        for span in _closed(text, self._kept_in(text)):
            capitals[slice(*span)] = text[slice(*span)]
        return capitals

    def _kept_in(self, text: str) -> Iterator[Span]:
        return (Span(*m.span()) for part in self.kept if part for m in re.finditer(re.escape(part), text))


def _without_stop(text: str) -> list[Replacement]:
    """Returns the change that takes away the full stop at the end of a text, before emoji, and a space before it."""
    end = len(text)
    for finding in reversed(find(text)):
        if finding.kind is not Kind.MARK or text[finding.span.end : end].strip():
            break
        end = finding.span.start
    match = _STOPPED.search(text[:end])
    if match is None:
        return []
    return [(Span(len(text[: match.start()].rstrip()), match.start() + 1), "")]
