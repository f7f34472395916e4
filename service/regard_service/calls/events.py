"""Turns the engine's tokens into a stream's events."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from regard.arrays import Float32Array
from regard_service.domain.results import AttentionMap, TokenEvent
from regard_service.engine.core.result import CommittedToken, EngineHypothesis
from regard_service.maps.builder import MapBuilder
from regard_service.text.word_streams import WordStream
from regard_service.text.writing import TargetStream


class EventBuilder:
    """Turns tokens, as the search commits them, into the events of a stream.

    With the shifted alignment, a token's row belongs to the next step: its event waits for the next token.

    Args:
        cross_norms: float32 [layers, heads, source], of the transformed values; None with the weighting "attention".
    """

    def __init__(self, stream: TargetStream | WordStream, maps: MapBuilder, cross_norms: Float32Array | None) -> None:
        self._stream = stream
        self._map_builder = maps
        self._is_delayed = maps.needs_next_step
        self._cross_norms = cross_norms
        self._waiting: CommittedToken | None = None
        self._num_tokens = 0
        self._num_events = 0

    def add(self, tokens: Sequence[CommittedToken]) -> Iterator[TokenEvent]:
        """Yields the events of newly committed tokens."""
        self._num_tokens += len(tokens)
        for token in tokens:
            if not self._is_delayed:
                yield self._event(token)
                continue
            if self._waiting is not None:
                yield self._event(self._waiting, token)
            self._waiting = token

    def finish(self, best: EngineHypothesis) -> Iterator[TokenEvent]:
        """Yields the events of the best hypothesis' remaining tokens."""
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
        num_characters = len(self._stream.text)
        token = self._stream.add(committed.id, committed.logprob)
        maps = tuple(self._maps(committed, following))
        self._num_events += 1
        return TokenEvent(self._num_events - 1, token, self._stream.text[num_characters:], maps)

    def _maps(self, committed: CommittedToken, following: CommittedToken | None) -> Iterator[AttentionMap]:
        """Yields the token's row of each map, with a target axis of length 1."""
        steps = [c.cross_attention for c in (committed, following) if c is not None and c.cross_attention is not None]
        if not steps:
            return
        for found in self._map_builder.of_steps(np.stack(steps, axis=2), self._cross_norms):
            yield replace(found, values=found.values[..., :1, :])
