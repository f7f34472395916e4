"""Turns the tokens of a text's segments into the events of one stream."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from regard.arrays import Float32Array
from regard_service.calls.events import EventBuilder
from regard_service.calls.passage_results import PassageBuilder
from regard_service.domain.results import Hypothesis, Result, TokenEvent
from regard_service.engine.core.result import CommittedToken, EngineHypothesis
from regard_service.text.writing import moved


class PassageEvents:
    """Builds the events of a text in segments, one segment after the other.

    Layout comes with the token after it, and with the last token if it ends the text. The tokens of a segment whose
    output is finished by a restore come all at once.
    """

    def __init__(self, builder: PassageBuilder) -> None:
        self._builder = builder
        self._leads = builder.leads
        self._pending = ""  # text that waits for a token
        self._num_characters = 0  # of all events, and of what waits
        self._num_events = 0
        self._held: TokenEvent | None = None
        self._begin = 0  # of the segment in the text
        self._segment = -1

    def begin(self, cross_norms: Float32Array | None) -> EventBuilder:
        """Begins the next segment, and returns the builder of its own events."""
        self._segment += 1
        self._add_text(self._leads[self._segment])
        self._begin = self._num_characters
        return self._builder.segment_events(self._segment, cross_norms)

    def add(self, own: EventBuilder, tokens: list[CommittedToken]) -> Iterator[TokenEvent]:
        """Yields the events of newly committed tokens. Args: own: builder of the segment."""
        if not self._builder.is_restored(self._segment):
            yield from self._placed(own.add(tokens))

    def finish(self, own: EventBuilder, best: EngineHypothesis) -> Iterator[TokenEvent]:
        """Yields the remaining events of the segment. Args: best: its best hypothesis."""
        if self._builder.is_restored(self._segment):
            hypothesis = self._builder.segment_hypothesis(self._segment, best)
            yield from self._placed(_as_restored(own.finish(best), hypothesis))
        else:
            yield from self._placed(own.finish(best))
        if self._segment == len(self._leads) - 2 and self._held is not None:
            yield replace(self._held, text_delta=self._held.text_delta + self._leads[-1])

    def of_marked(self, events: Sequence[TokenEvent], finished: Result) -> Iterator[TokenEvent]:
        """Yields the events of a text with markup, which is known only as a whole: its text comes with the last."""
        best = finished.hypotheses[0]
        for event, token in zip(events, best.tokens, strict=True):
            is_last = event.index == len(best.tokens) - 1
            yield replace(event, token=token, text_delta=best.text if is_last else "")

    def _placed(self, events: Iterable[TokenEvent]) -> Iterator[TokenEvent]:
        """Yields a segment's events as those of the whole text."""
        is_last, tail = self._segment == len(self._leads) - 2, self._leads[-1]
        for event in events:
            placed = self._of_whole(event)
            if not (is_last and tail):
                yield placed
                continue
            if self._held is not None:
                yield self._held
            self._held = placed

    def _of_whole(self, event: TokenEvent) -> TokenEvent:
        self._add_text(event.text_delta)
        delta, self._pending = self._pending, ""
        index = self._num_events
        self._num_events += 1
        source = self._builder.source_start(self._segment)
        number = self._builder.segment_numbers[self._segment]
        return TokenEvent(
            index,
            moved(event.token, self._begin, source),
            delta,
            tuple(replace(m, segment=number, source_offset=source, target_offset=index) for m in event.maps),
        )

    def _add_text(self, text: str) -> None:
        self._pending += text
        self._num_characters += len(text)


def _as_restored(events: Iterable[TokenEvent], hypothesis: Hypothesis) -> Iterator[TokenEvent]:
    """Yields events with the tokens and the text of a finished output. The text between two tokens is the second's."""
    end, last = 0, len(hypothesis.tokens) - 1
    for event, token in zip(events, hypothesis.tokens, strict=True):
        start, end = end, max(end, token.span.end if token.span is not None else 0)
        if event.index == last:
            end = len(hypothesis.text)
        yield replace(event, token=token, text_delta=hypothesis.text[start:end])
