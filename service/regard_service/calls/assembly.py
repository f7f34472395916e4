"""From what the engine decoded to what the caller reads: text, tokens, words, and the attention maps asked for."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain import (
    AttentionMap,
    AttentionOptions,
    Hypothesis,
    Link,
    Result,
    Source,
    Span,
    Timings,
    Token,
    TokenEvent,
    Word,
)
from regard_service.engine.core.result import CommittedToken, EngineHypothesis, EngineResult
from regard_service.errors import InvalidInput
from regard_service.generation import Generation
from regard_service.maps.blocks import block_diagonal
from regard_service.maps.links import coverage, entropy, hard_links, source_coverage
from regard_service.maps.maker import MapMaker, by_words
from regard_service.maps.words import group_words
from regard_service.pictures.reader import SourceImage
from regard_service.repository.repository import LoadedModel
from regard_service.text.text import SourceText, TargetStream, join_texts

# Numbers of a map; of a long text that was split, a dense one grows with the square of its length.
MAX_MAP_SIZE = 2**25

Parts = tuple[SourceImage | SourceText, ...]
"""An input as it was read: a picture, a text, or the parts of a text that was split."""


class Assembler:
    """Builds the answers to one input.

    Attributes:
        source: the input as the model read it.
        maps: makes what was asked for.
    """

    def __init__(self, model: LoadedModel, parts: Parts, options: AttentionOptions, generation: Generation) -> None:
        self._model = model
        self._parts = parts
        self._options = options
        self._length_penalty = generation.length_penalty if generation.num_beams > 1 else 0.0
        self._by_words = options.granularity == "word" and bool(options.kinds)
        self.source = _source(parts, with_words=self._by_words)
        self.maps = MapMaker(options, model.manifest.attention)

    def result(self, results: Sequence[EngineResult]) -> Result:
        """The answer, from one result a part; of a text that was split, each part's best hypothesis counts."""
        best = [tuple(result.hypotheses[0] for result in results)]
        candidates = best if len(results) > 1 else [(hypothesis,) for hypothesis in results[0].hypotheses]
        return Result(
            hypotheses=tuple(self._hypothesis(each) for each in candidates),
            source=self.source,
            timings=Timings(
                queue_ms=1000 * max(result.queue_s for result in results),
                encode_ms=1000 * max(result.encode_s for result in results),
                decode_ms=1000 * max(result.decode_s for result in results),
            ),
            model=self._model.name,
            version=self._model.manifest.version,
            num_parts=len(results),
            maps=self._source_maps(best[0]),
        )

    def _source_maps(self, decoded: Sequence[EngineHypothesis]) -> tuple[AttentionMap, ...]:
        by_part = zip(*(self.maps.of_source(each.trace) for each in decoded), strict=True)
        return tuple(self._by_granularity(_joined(parts), ()) for parts in by_part)

    def events(self, cross_norms: Float32Array | None) -> "EventAssembler":
        """What makes a stream's events.

        Args:
            cross_norms: float32 [layers, heads, source], of the transformed values; None where they do not count.
        """
        return EventAssembler(self._model.writer.stream(_text(self._parts[0])), self.maps, cross_norms)

    def _hypothesis(self, decoded: Sequence[EngineHypothesis]) -> Hypothesis:
        """Args: decoded: what was made of each part."""
        written = [
            self._model.writer.write(each.tokens, each.logprobs, _text(part))
            for each, part in zip(decoded, self._parts, strict=True)
        ]
        joined = join_texts(written, [part.array.shape[-1] for part in self._parts])
        has_ended = all(each.finish_reason == "end" for each in decoded)
        plain = Hypothesis(joined.text, joined.tokens, self._score(decoded), "end" if has_ended else "length")
        return plain if decoded[0].cross_attention is None else self._with_maps(plain, decoded)

    def _score(self, decoded: Sequence[EngineHypothesis]) -> float:
        """The sum of all parts' log-probabilities, divided by what the search divides by."""
        if len(decoded) == 1:
            return decoded[0].score
        penalties = [float(len(each.tokens) ** self._length_penalty) for each in decoded]
        total = sum(each.score * penalty for each, penalty in zip(decoded, penalties, strict=True))
        return total / float(sum(len(each.tokens) for each in decoded) ** self._length_penalty)

    def _with_maps(self, plain: Hypothesis, decoded: Sequence[EngineHypothesis]) -> Hypothesis:
        """Adds the maps asked for."""
        words = _words(plain.text, plain.tokens) if self._by_words else ()
        kept = [(each.cross_attention, each.trace) for each in decoded if each.cross_attention is not None]
        by_part = zip(*(self.maps.of_target(cross, trace) for cross, trace in kept), strict=True)
        maps = tuple(self._by_granularity(_joined(parts), words) for parts in by_part)
        alignment = next((m.values for m in maps if m.kind == "alignment"), None)
        if alignment is None:
            return replace(plain, words=words, maps=maps)
        target_special = [unit.special for unit in (words or plain.tokens)]
        return replace(
            plain,
            words=words,
            maps=maps,
            links=tuple(Link(s, t) for s, t in hard_links(alignment, _special_units(self.source), target_special)),
            entropy=tuple(entropy(alignment).tolist()),
            coverage=tuple(coverage(alignment).tolist()),
            source_coverage=tuple(source_coverage(alignment).tolist()),
        )

    def _by_granularity(self, tokens: AttentionMap, words: Sequence[Word]) -> AttentionMap:
        if not self._by_words:
            return tokens
        return by_words(tokens, words, None if self.source.image_grid is not None else self.source.words)


class EventAssembler:
    """Turns tokens, as they become certain, into a stream's events.

    With the shifted alignment a token's row is the next step's, so that its event waits for the next token.
    """

    def __init__(self, stream: TargetStream, maps: MapMaker, cross_norms: Float32Array | None) -> None:
        self._stream = stream
        self._all_maps = maps
        self._cross_norms = cross_norms
        self._shifted = maps.waits_for_the_next_step
        self._waiting: CommittedToken | None = None
        self._num_tokens = 0
        self._num_events = 0

    def add(self, tokens: Sequence[CommittedToken]) -> Iterator[TokenEvent]:
        self._num_tokens += len(tokens)
        for token in tokens:
            if not self._shifted:
                yield self._event(token)
                continue
            if self._waiting is not None:
                yield self._event(self._waiting, token)
            self._waiting = token

    def finish(self, best: EngineHypothesis) -> Iterator[TokenEvent]:
        """Yields what the best hypothesis has beyond the tokens so far."""
        first, cross = self._num_tokens, best.cross_attention
        rest = zip(best.tokens[first:].tolist(), best.logprobs[first:].tolist(), strict=True)
        yield from self.add(
            [
                CommittedToken(token_id, logprob, None if cross is None else cross[:, :, position])
                for position, (token_id, logprob) in enumerate(rest, first)
            ]
        )
        if self._waiting is not None:
            yield self._event(self._waiting)

    def _event(self, committed: CommittedToken, following: CommittedToken | None = None) -> TokenEvent:
        before = len(self._stream.text)
        token = self._stream.add(committed.id, committed.logprob)
        maps = tuple(self._maps(committed, following))
        self._num_events += 1
        return TokenEvent(self._num_events - 1, token, self._stream.text[before:], maps)

    def _maps(self, committed: CommittedToken, following: CommittedToken | None) -> Iterator[AttentionMap]:
        """The token's row of each map, with a target axis of length 1."""
        steps = [c.cross_attention for c in (committed, following) if c is not None and c.cross_attention is not None]
        if not steps:
            return
        for found in self._all_maps.of_steps(np.stack(steps, axis=2), self._cross_norms):
            yield replace(found, values=found.values[..., :1, :])


def _source(parts: Parts, *, with_words: bool) -> Source:
    """What is told of the source; all parts of a text together are the text."""
    first = parts[0]
    if isinstance(first, SourceImage):
        return Source(image_grid=first.grid)
    texts = [part for part in parts if isinstance(part, SourceText)]
    tokens = tuple(token for part in texts for token in part.tokens)
    return Source(tokens, _words(first.text, tokens) if with_words else (), first.num_truncated)


def _text(part: SourceText | SourceImage) -> SourceText | None:
    """What a hypothesis may copy from."""
    return part if isinstance(part, SourceText) else None


def _special_units(source: Source) -> list[bool]:
    """Which units of the source axis are the model's own."""
    grid = source.image_grid
    if grid is None:
        return [unit.special for unit in (source.words or source.tokens)]
    return [True] * grid.first_position + [False] * (grid.rows * grid.columns)


def _joined(parts: Sequence[AttentionMap]) -> AttentionMap:
    """The same kind of map of consecutive parts, as one."""
    if len(parts) == 1:
        return parts[0]
    size = math.prod(np.sum([part.values.shape[-2:] for part in parts], axis=0).tolist())
    size *= math.prod(parts[0].values.shape[:-2])
    if size > MAX_MAP_SIZE:
        raise InvalidInput.of("attention.kinds", f"{parts[0].kind}: {size} weights; the limit is {MAX_MAP_SIZE}")
    return replace(parts[0], values=block_diagonal([part.values for part in parts]))


def _words(text: str, tokens: Sequence[Token]) -> tuple[Word, ...]:
    """Groups tokens to words; a special token is a word by itself."""
    spans = [None if t.span is None else (t.span.start, t.span.end) for t in tokens]
    words = []
    for first, last in group_words(text, spans):
        start, end = spans[first], spans[last - 1]
        if start is None or end is None:
            words.append(Word(tokens[first].piece, None, Span(first, last), special=True))
        else:
            words.append(Word(text[start[0] : end[1]], Span(start[0], end[1]), Span(first, last)))
    return tuple(words)
