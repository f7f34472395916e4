"""The terms of a segment, as the engine places them: positions of the source, tokens of the target."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.domain.glossaries import GlossaryEntry
from regard_service.domain.results import Span, Token
from regard_service.errors import InvalidInput
from regard_service.generation import Term, Terms
from regard_service.passages.edits import EditedText
from regard_service.passages.terms.finding import FoundTerm, TermFinder, longest
from regard_service.text.phrases import PhraseWriter, UnwritablePhrase
from regard_service.text.reading import SourceText


@dataclass(frozen=True)
class TermReader:
    """Finds a call's terms in its segments.

    Attributes:
        finders: those of the call's own terms before those of glossaries.
        max_tokens: that the terms of one segment may have.
        is_spaced: whether the target's words stand between spaces.
    """

    finders: tuple[TermFinder, ...]
    phrases: PhraseWriter
    max_tokens: int
    is_spaced: bool

    def find(self, text: str) -> list[FoundTerm]:
        """Returns the terms of a segment."""
        return longest(each for finder in self.finders for each in finder.find(text))

    def added(
        self,
        part: SourceText,
        found: Sequence[FoundTerm],
        edited: EditedText,
        copied: Sequence[Span] = (),
        *,
        field: str,
    ) -> SourceText:
        """Returns what the model reads with its terms. Those whose words it does not read are left out: their part of
        the text is copied, or was truncated.

        Args:
            found: the terms of `edited.original`.
            copied: ranges of the model's text that stand for what is copied.
            field: the text's path in the request.

        Raises:
            InvalidInput: the model cannot write a target, or the terms have more tokens than the output may.
        """
        terms, left_out = [], []
        for each in found:
            span = edited.to_text(each.span) if edited.edits else each.span
            positions = _positions(part.tokens, span)
            if positions and not any(other.start < span.end and span.start < other.end for other in copied):
                terms.append(self._term(each, positions))
            elif each.entry.source != each.entry.target:
                left_out.append(each.entry.source)
        part = replace(part, left_out=tuple(left_out)) if left_out else part
        if not terms:
            return part
        num_tokens = sum(term.num_tokens for term in terms)
        if num_tokens >= self.max_tokens:
            fault = f"{found[0].field} and others have {num_tokens} tokens in a segment that may have {self.max_tokens}"
            raise InvalidInput.of(field, f"has more terms than its output has room for: {fault}")
        special = tuple(index for index, token in enumerate(part.tokens) if token.is_special)
        keeps_words = self.is_spaced and all(each.entry.is_whole_word for each in found)
        return replace(part, terms=Terms(tuple(terms), special, self.phrases.spelling, keeps_words))

    def _term(self, found: FoundTerm, positions: tuple[int, ...]) -> Term:
        entry = found.entry
        try:
            return Term(
                positions,
                tokens=self.phrases.tokens(entry.target),
                glued=self.phrases.tokens(entry.target, is_glued=True),
                initial=self._initial_tokens(entry),
            )
        except UnwritablePhrase as error:
            raise InvalidInput.of(f"{found.field}.target", f"{entry.target!r} {error}") from error

    def _initial_tokens(self, entry: GlossaryEntry) -> tuple[int, ...]:
        """Returns the tokens at the beginning of a sentence; a vocabulary may lack the capital."""
        with suppress(UnwritablePhrase):
            return self.phrases.tokens(_initial(entry))
        return self.phrases.tokens(entry.target)


def with_terms(weights: Float32Array, tokens: Int64Array, terms: Terms) -> Float32Array:
    """Returns an alignment that knows what terms are translations of, whatever the model attended to.

    Args:
        weights: float32 [target, source].
        tokens: int64 [target], of the output.
    """
    written, aligned = tokens.tolist(), weights.copy()
    taken: set[int] = set()
    for term in terms.terms:
        for place in _places(written, term):
            rows = list(range(*place))
            if taken.isdisjoint(rows):
                taken.update(rows)
                aligned[rows] = 0.0
                aligned[np.ix_(rows, term.positions)] = 1.0 / len(term.positions)
                break
    return aligned


def _places(tokens: list[int], term: Term) -> Iterator[tuple[int, int]]:
    """Yields where a term stands among tokens, as ranges."""
    for spelling in dict.fromkeys((term.tokens, term.glued, term.initial)):
        for start in range(len(tokens) - len(spelling) + 1):
            if tuple(tokens[start : start + len(spelling)]) == spelling:
                yield start, start + len(spelling)


def check_writable(entries: Sequence[GlossaryEntry], phrases: PhraseWriter) -> list[tuple[int, str]]:
    """Returns the index of each entry whose target the model cannot write, with a description."""
    faults = []
    for index, entry in enumerate(entries):
        try:
            phrases.tokens(entry.target)
        except UnwritablePhrase as error:
            faults.append((index, str(error)))
    return faults


def _initial(entry: GlossaryEntry) -> str:
    """Returns the target at the beginning of a sentence: with a capital, where case does not matter."""
    if entry.is_case_sensitive or entry.source == entry.target:
        return entry.target
    return entry.target[:1].upper() + entry.target[1:]


def _positions(tokens: Sequence[Token], span: Span) -> tuple[int, ...]:
    """Returns the tokens that a range of the model's text overlaps."""
    return tuple(
        index
        for index, token in enumerate(tokens)
        if token.span is not None and token.span.start < span.end and span.start < token.span.end
    )
