"""Joins the results of a text's segments to the result of the whole text."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import NamedTuple

from regard.arrays import Float32Array, Int64Array
from regard_service.calls.events import EventBuilder
from regard_service.calls.inputs import moved_word, words_of
from regard_service.calls.marked_passages import MarkedPassage
from regard_service.calls.passages import CopiedSegment, ModelSegment, Passage
from regard_service.calls.results import ResultBuilder, timings_of
from regard_service.calls.terms import with_terms
from regard_service.domain.calls import AttentionOptions
from regard_service.domain.results import (
    AttentionMap,
    Hypothesis,
    Link,
    OutputWarning,
    Result,
    Segment,
    Source,
    Span,
    Token,
    Word,
)
from regard_service.engine.core.result import EngineHypothesis, EngineResult
from regard_service.generation import Generation
from regard_service.maps.builder import MapBuilder
from regard_service.passages.aligned import AlignedText
from regard_service.passages.output_checks import output_faults
from regard_service.repository.loader import LoadedModel
from regard_service.text.reading import SourceText
from regard_service.text.writing import TargetText

Choice = tuple[int, ...]
"""For each translated segment, which of its hypotheses."""


Move = Callable[[Span], Span]
"""From the output of a segment to the whole target."""


class _Part(NamedTuple):
    """One hypothesis of a translated segment, as its caller gets it and as the engine made it."""

    hypothesis: Hypothesis
    decoded: EngineHypothesis


class _Whole(NamedTuple):
    """The outputs of all segments, joined.

    Attributes:
        places, sources: of all segments in the whole target and in the source.
        moves: of each translated segment.
    """

    text: str
    places: Sequence[Span]
    moves: Sequence[Move]
    sources: Sequence[Span]


class PassageBuilder:
    """Builds the result of a text in segments.

    Attributes:
        source: the whole text, with the tokens of all segments.
        segment_numbers: the index of each translated segment among all.
    """

    def __init__(self, model: LoadedModel, passage: Passage, options: AttentionOptions, generation: Generation) -> None:
        self._model = model
        self._passage = passage
        self._options = options
        self._generation = generation
        self._has_words = options.granularity == "word" and bool(options.kinds)
        self._builders = [self._builder(each) for each in passage.translated]
        sources = [builder.source for builder in self._builders]
        self._num_source_tokens = _starts([len(source.tokens) for source in sources])
        self._num_source_words = _starts([len(source.words) for source in sources])
        self.segment_numbers = [n for n, each in enumerate(passage.segments) if isinstance(each, ModelSegment)]
        self.source = self._joined_source(sources)

    def result(self, results: Sequence[EngineResult]) -> Result:
        """Builds the result. Args: results: one of each translated segment."""
        best = [result.hypotheses[0] for result in results]
        places: Sequence[Span]
        sources: Sequence[Span]
        if self._passage.is_one:
            (builder,), (result,) = self._builders, results
            hypotheses = tuple([builder.hypothesis([each]) for each in result.hypotheses])
            firsts, maps = list(hypotheses[:1]), builder.source_maps(best)
            places, sources = [Span(0, len(hypotheses[0].text))], [self._passage.segments[0].span]
        else:
            parts = self._combined(results)
            wholes = [self._whole(each) for each in parts]
            hypotheses = tuple(self._joined(*each) for each in zip(wholes, parts, strict=True))
            firsts, maps = [part.hypothesis for part in parts[0]], self._source_maps(best)
            places, sources = wholes[0].places, wholes[0].sources
        return Result(
            hypotheses=hypotheses,
            source=self.source,
            timings=timings_of(results),
            model=self._model.name,
            version=self._model.manifest.version,
            maps=maps,
            segments=self._segments(firsts, places, sources, [result.novelty for result in results]),
            warnings=self._warnings(firsts, best),
        )

    # For streams.

    @property
    def leads(self) -> tuple[str, ...]:
        """The target's text before each translated segment, and after the last."""
        return self._passage.leads

    def segment_events(self, segment: int, cross_norms: Float32Array | None) -> EventBuilder:
        """Returns the builder of a translated segment's events; see `ResultBuilder.events`."""
        return self._builders[segment].events(cross_norms)

    def segment_hypothesis(self, segment: int, decoded: EngineHypothesis) -> Hypothesis:
        """Builds a hypothesis of a translated segment, with positions in the segment's own output."""
        return self._builders[segment].hypothesis([decoded])

    @property
    def is_marked(self) -> bool:
        """Whether the text has markup, and is written only when all segments are known."""
        return isinstance(self._passage, MarkedPassage)

    def is_restored(self, segment: int) -> bool:
        """Whether a translated segment's output is finished only when all of it is known."""
        return self.is_marked or bool(self._passage.translated[segment].restores)

    def source_start(self, segment: int) -> int:
        """Returns the position of a translated segment's first token among the whole source's."""
        return self._num_source_tokens[segment]

    def _builder(self, segment: ModelSegment) -> ResultBuilder:
        part = segment.part
        tokens = segment.source_tokens
        words = words_of(self._passage.text, tokens) if self._has_words else ()
        return ResultBuilder(
            self._model,
            (part,),
            self._options,
            self._generation,
            source=Source(tokens, words, part.num_truncated),
            finish=partial(self._finish, segment) if segment.restores else None,
        )

    def _finish(self, segment: ModelSegment, written: TargetText, decoded: EngineHypothesis) -> TargetText:
        """Undoes the segment's edits in its output."""
        weights = self._weights(segment, decoded) if segment.needs_alignment else None
        aligned = AlignedText(
            segment.edited.text,
            written.text,
            tuple(token.span for token in segment.part.tokens),
            tuple(token.span for token in written.tokens),
            weights,
        )
        restored = segment.restored(aligned)
        tokens = zip(written.tokens, restored.target_spans, strict=True)
        return TargetText(restored.target, tuple(token._replace(span=span) for token, span in tokens))

    # The joined result.

    def _combined(self, results: Sequence[EngineResult]) -> list[list[_Part]]:
        """Returns the hypotheses of the segments that form each hypothesis of the whole, best first."""
        made: dict[tuple[int, int], _Part] = {}

        def part(segment: int, rank: int) -> _Part:
            if (segment, rank) not in made:
                decoded = results[segment].hypotheses[rank]
                made[segment, rank] = _Part(self._builders[segment].hypothesis([decoded]), decoded)
            return made[segment, rank]

        return [[part(*each) for each in enumerate(choice)] for choice in self._choices(results)]

    def _whole(self, parts: Sequence[_Part]) -> _Whole:
        """Assembles the outputs of the segments."""
        outputs = [part.hypothesis.text for part in parts]
        if not isinstance(self._passage, MarkedPassage):
            text, places = self._passage.assembled(outputs)
            moves = [_shift(places[number].start) for number in self.segment_numbers]
            return _Whole(text, places, moves, [each.span for each in self._passage.segments])
        aligned = [self._aligned(*each) for each in zip(self._passage.translated, parts, strict=True)]
        written = self._passage.written(aligned)
        moves = [written.segments[number].to_output for number in self.segment_numbers]
        places = [segment.target for segment in written.segments]
        return _Whole(written.text, places, moves, [segment.source for segment in written.segments])

    def _aligned(self, segment: ModelSegment, part: _Part) -> AlignedText:
        """Returns a segment with its finished output."""
        target = part.hypothesis
        spans = tuple(token.span for token in target.tokens)
        return AlignedText(
            segment.edited.original, target.text, segment.own_spans, spans, self._weights(segment, part.decoded)
        )

    def _weights(self, segment: ModelSegment, decoded: EngineHypothesis) -> Float32Array | None:
        """Returns the alignment, float32 [target, source], if it was kept."""
        if decoded.cross_attention is None:
            return None
        maps = MapBuilder(AttentionOptions(kinds=("alignment",)), self._model.manifest.attention)
        weights = next(maps.of_target(decoded.cross_attention, None)).values
        return weights if segment.part.terms is None else with_terms(weights, decoded.tokens, segment.part.terms)

    def _choices(self, results: Sequence[EngineResult]) -> list[Choice]:
        """Returns the best combinations of the segments' hypotheses, best first by the sum of their scores.

        Samples are not combined: the first of each segment with each other, the second, and so on. Alternatives are
        those of one segment.
        """
        count = self._generation.num_return_sequences
        if len(results) == 1:
            return [(rank,) for rank in range(len(results[0].hypotheses))]
        num_alternatives = max((part.part.num_alternatives for part in self._passage.translated), default=0)
        if num_alternatives:
            return [tuple(min(rank, len(r.hypotheses) - 1) for r in results) for rank in range(num_alternatives)]
        if self._generation.sampling is not None:
            num_samples = min((len(result.hypotheses) for result in results), default=1)
            return [(rank,) * len(results) for rank in range(num_samples)]
        best: list[tuple[float, Choice]] = [(0.0, ())]
        for result in results:
            longer = [(s + h.score, (*c, rank)) for s, c in best for rank, h in enumerate(result.hypotheses)]
            best = heapq.nlargest(count, longer, key=lambda scored: scored[0])
        return [choice for _, choice in best]

    def _joined(self, whole: _Whole, joined_parts: Sequence[_Part]) -> Hypothesis:
        """Joins one hypothesis of each translated segment."""
        parts = [part.hypothesis for part in joined_parts]
        num_tokens = _starts(len(part.tokens) for part in parts)
        tokens = [
            _placed(token, move, num_source)
            for part, move, num_source in zip(parts, whole.moves, self._num_source_tokens, strict=False)
            for token in part.tokens
        ]
        words = [
            _placed_word(word, move, first)
            for part, move, first in zip(parts, whole.moves, num_tokens, strict=False)
            for word in part.words
        ]
        joined = Hypothesis(
            whole.text,
            tuple(tokens),
            sum(part.score for part in parts),
            "end" if all(part.finish_reason == "end" for part in parts) else "length",
            tuple(words),
            source_share=tuple(share for part in parts for share in part.source_share),
        )
        return self._with_maps(joined, parts)

    def _with_maps(self, joined: Hypothesis, parts: Sequence[Hypothesis]) -> Hypothesis:
        """Adds the segments' maps, with their places in the whole, and the alignment's measures."""
        if not any(part.maps for part in parts):
            return joined
        targets = _starts(len(part.words or part.tokens) for part in parts)
        sources = self._num_source_words if self._has_words else self._num_source_tokens
        return replace(
            joined,
            maps=self._placed([part.maps for part in parts], targets),
            links=tuple(
                Link(link.source + source, link.target + target)
                for part, source, target in zip(parts, sources, targets, strict=False)
                for link in part.links
            ),
            entropy=tuple(value for part in parts for value in part.entropy),
            coverage=tuple(value for part in parts for value in part.coverage),
            source_coverage=tuple(value for part in parts for value in part.source_coverage),
        )

    def _placed(self, maps: Sequence[Sequence[AttentionMap]], targets: Sequence[int]) -> tuple[AttentionMap, ...]:
        """Returns all maps, kind by kind. Args: maps: of each translated segment."""
        sources = self._num_source_words if self._has_words else self._num_source_tokens
        numbers = self.segment_numbers
        # The columns of decoder self-attention stand for the output's own units.
        return tuple(
            replace(
                each,
                segment=number,
                source_offset=target if each.kind == "decoder_self" else source,
                target_offset=target,
            )
            for of_kind in zip(*maps, strict=True)
            for each, number, source, target in zip(of_kind, numbers, sources, targets, strict=False)
        )

    def _source_maps(self, decoded: Sequence[EngineHypothesis]) -> tuple[AttentionMap, ...]:
        maps = [builder.source_maps([each]) for builder, each in zip(self._builders, decoded, strict=True)]
        sources = self._num_source_words if self._has_words else self._num_source_tokens
        return self._placed(maps, sources)

    def _joined_source(self, sources: Sequence[Source]) -> Source:
        if len(sources) == 1:
            return sources[0]
        words = [
            moved_word(word, 0, first)
            for source, first in zip(sources, self._num_source_tokens, strict=False)
            for word in source.words
        ]
        return Source(
            tuple(token for source in sources for token in source.tokens),
            tuple(words),
            sum(source.num_truncated_tokens for source in sources),
        )

    # Segments and warnings.

    def _segments(
        self,
        parts: Sequence[Hypothesis],
        targets: Sequence[Span],
        sources: Sequence[Span],
        novelties: Sequence[float | None],
    ) -> tuple[Segment, ...]:
        """Returns the places of all segments.

        Args:
            parts: the best hypothesis of each translated segment.
            targets, sources: of all segments in the whole target and source.
            novelties: of each translated segment's source.
        """
        remaining = zip(parts, novelties, strict=True)
        segments: list[Segment] = []
        num_source = num_target = number = 0
        for each, source, target in zip(self._passage.segments, sources, targets, strict=True):
            own, made, novelty = Span(num_source, num_source), Span(num_target, num_target), None
            if isinstance(each, ModelSegment):
                number += 1
                part, novelty = next(remaining)
                own = Span(num_source, self._num_source_tokens[number])
                made = Span(num_target, num_target + len(part.tokens))
            segments.append(Segment(source, target, own, made, isinstance(each, CopiedSegment), novelty))
            num_source, num_target = own.end, made.end
        return tuple(segments)

    def _warnings(self, parts: Sequence[Hypothesis], decoded: Sequence[EngineHypothesis]) -> tuple[OutputWarning, ...]:
        """Returns what may be wrong with the segments' outputs."""
        found: list[OutputWarning] = []
        translated = self._passage.translated
        for number, segment, part, each in zip(self.segment_numbers, translated, parts, decoded, strict=True):
            faults = output_faults(
                segment.expected,
                part.text,
                each.tokens,
                partial(_ids, segment.part),
                is_cut=each.finish_reason == "length",
                ratios=self._passage.ratios,
                may_be_copy=self._passage.may_be_copy,
            )
            found += [OutputWarning(fault.reason, fault.message, number) for fault in faults]
            if segment.part.num_truncated:
                message = f"the last {segment.part.num_truncated} tokens of the segment were dropped"
                found.append(OutputWarning("source_truncated", message, number))
            for term in segment.part.left_out:
                message = f"the term {term!r} is not used: it stands in a part that is copied, or was dropped"
                found.append(OutputWarning("term_left_out", message, number))
            if segment.is_cut:
                message = "the sentence is longer than the model takes; it was cut"
                found.append(OutputWarning("sentence_cut", message, number))
        return tuple(found)


def _shift(start: int) -> Move:
    return lambda span: Span(span.start + start, span.end + start)


def _placed(token: Token, move: Move, num_source_tokens: int) -> Token:
    span = None if token.span is None else move(token.span)
    copied_from = None if token.copied_from is None else token.copied_from + num_source_tokens
    return token._replace(span=span, copied_from=copied_from)


def _placed_word(word: Word, move: Move, num_tokens: int) -> Word:
    span = None if word.span is None else move(word.span)
    return replace(word, span=span, tokens=Span(word.tokens.start + num_tokens, word.tokens.end + num_tokens))


def _ids(part: SourceText) -> Int64Array:
    return part.ids


def _starts(lengths: Iterable[int]) -> list[int]:
    """Returns the position of each of consecutive ranges, and of their end."""
    return [0, *accumulate(lengths)]
