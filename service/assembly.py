"""From what the engine decoded to what the caller reads: text, tokens, words, and the attention maps asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from service.attention.links import coverage, entropy, hard_links, source_coverage
from service.attention.reduce import align, select, shift
from service.attention.words import group_words, merge_words
from service.domain import (
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
from service.engine.request import CommittedToken, EngineHypothesis, EngineResult, Float32Array
from service.pipelines.text import SourceText, TargetText
from service.repository import LoadedModel


class Assembler:
    """Builds the answers to one input.

    Attributes:
        source: the input as the model read it.
    """

    def __init__(self, model: LoadedModel, source: SourceText, options: AttentionOptions) -> None:
        self._model = model
        self._options = options
        self._by_words = options.granularity == "word" and bool(options.kinds)
        words = _words(source.text, source.tokens) if self._by_words else ()
        self.source = Source(source.tokens, words, source.num_truncated)

    def result(self, result: EngineResult) -> Result:
        return Result(
            hypotheses=tuple(self._hypothesis(hypothesis) for hypothesis in result.hypotheses),
            source=self.source,
            timings=Timings(1000 * result.queue_s, 1000 * result.encode_s, 1000 * result.decode_s),
            model=self._model.name,
            version=self._model.manifest.version,
        )

    def events(self) -> "EventAssembler":
        shifted = self._options.method == "shifted" and "alignment" in self._options.kinds
        return EventAssembler(self._model, self, shifted=shifted)

    def _hypothesis(self, decoded: EngineHypothesis) -> Hypothesis:
        written = self._model.writer.write(decoded.tokens, decoded.logprobs)
        plain = Hypothesis(written.text, written.tokens, decoded.score, decoded.finish_reason)
        if decoded.cross_attention is None:
            return plain
        return self._with_maps(plain, written, decoded.cross_attention)

    def _with_maps(self, plain: Hypothesis, written: TargetText, cross: Float32Array) -> Hypothesis:
        """Adds the maps asked for; cross is float32 [layers, heads, target, source]."""
        words = _words(written.text, written.tokens) if self._by_words else ()
        maps = tuple(self._by_granularity(m, words) for m in self.maps(cross))
        alignment = next((m.values for m in maps if m.kind == "alignment"), None)
        if alignment is None:
            return replace(plain, words=words, maps=maps)
        target_special = [u.special for u in (words or written.tokens)]
        source_special = [u.special for u in (self.source.words or self.source.tokens)]
        return replace(
            plain,
            words=words,
            maps=maps,
            links=tuple(Link(s, t) for s, t in hard_links(alignment, source_special, target_special)),
            entropy=tuple(entropy(alignment).tolist()),
            coverage=tuple(coverage(alignment).tolist()),
            source_coverage=tuple(source_coverage(alignment).tolist()),
        )

    def maps(self, cross: Float32Array) -> Iterator[AttentionMap]:
        """Yields the maps asked for, by tokens; cross is float32 [layers, heads, target, source]."""
        layers = self._options.layers or tuple(range(cross.shape[0]))
        heads = self._options.heads or tuple(range(cross.shape[1]))
        for kind in self._options.kinds:
            if kind == "cross":
                yield AttentionMap("cross", select(cross, layers, heads), layers, heads)
            elif kind == "alignment":
                yield self._alignment(cross, layers, heads)

    def _alignment(self, cross: Float32Array, layers: Sequence[int], heads: Sequence[int]) -> AttentionMap:
        if self._options.layers or self._options.heads:
            pairs = [(layer, head) for layer in layers for head in heads]
        else:
            pairs = list(self._model.manifest.attention.alignment_heads)
        values = align(cross, pairs)
        if self._options.method == "shifted":
            values = shift(values)
        used_layers = tuple(sorted({layer for layer, _ in pairs}))
        used_heads = tuple(sorted({head for _, head in pairs}))
        return AttentionMap("alignment", values, used_layers, used_heads)

    def _by_granularity(self, tokens: AttentionMap, words: Sequence[Word]) -> AttentionMap:
        if not self._by_words:
            return tokens
        values = merge_words(tokens.values, [w.tokens for w in words], [w.tokens for w in self.source.words])
        return AttentionMap(tokens.kind, values, tokens.layers, tokens.heads, "word")


class EventAssembler:
    """Turns tokens, as they become certain, into a stream's events.

    With the shifted alignment a token's row is the next step's, so that its event waits for the next token.
    """

    def __init__(self, model: LoadedModel, assembler: Assembler, *, shifted: bool) -> None:
        self._assembler = assembler
        self._stream = model.writer.stream()
        self._shifted = shifted
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
        for found in self._assembler.maps(np.stack(steps, axis=2)):
            yield replace(found, values=found.values[..., :1, :])


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
