"""Answers: from results and stream events to protobuf."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from regard.v1 import regard_pb2 as pb
from service.attention.encode import encode_map
from service.convert import enums
from service.domain import (
    AttentionMap,
    AttentionOptions,
    Hypothesis,
    ImageGrid,
    Link,
    Result,
    Source,
    Span,
    Started,
    StreamEvent,
    Token,
    TokenEvent,
    Word,
)

Event = TypeVar("Event", pb.StreamTranslateResponse, pb.StreamSummarizeResponse, pb.StreamCaptionResponse)


def write_results(results: Sequence[Result], options: AttentionOptions) -> list[pb.Result]:
    """A unary answer; `options` say how maps are encoded."""
    return [_result(result, options) for result in results]


def write_event(event: StreamEvent, options: AttentionOptions, event_class: type[Event]) -> Event:
    """One event of a stream, as the event message of its method."""
    if isinstance(event, Started):
        return event_class(started=_started(event))
    if isinstance(event, TokenEvent):
        return event_class(token=_token_event(event, options))
    return event_class(finished=pb.FinishedEvent(result=_result(event, options)))


def _result(result: Result, options: AttentionOptions) -> pb.Result:
    return pb.Result(
        hypotheses=[_hypothesis(hypothesis, options) for hypothesis in result.hypotheses],
        source_tokens=_source_tokens(result.source),
        source_words=_words(result.source.words),
        image_grid=_image_grid(result.source.image_grid),
        truncated=result.source.num_truncated_tokens > 0,
        num_truncated_tokens=result.source.num_truncated_tokens,
        num_parts=result.num_parts,
        model=result.model,
        model_version=result.version,
        timings=pb.Timings(
            queue_ms=result.timings.queue_ms,
            encode_ms=result.timings.encode_ms,
            decode_ms=result.timings.decode_ms,
        ),
        source_attention=_maps(result.maps, options),
    )


def _started(event: Started) -> pb.StartedEvent:
    return pb.StartedEvent(
        model=event.model,
        model_version=event.version,
        source_tokens=_source_tokens(event.source),
        source_words=_words(event.source.words),
        truncated=event.source.num_truncated_tokens > 0,
        num_truncated_tokens=event.source.num_truncated_tokens,
        image_grid=_image_grid(event.source.image_grid),
    )


def _token_event(event: TokenEvent, options: AttentionOptions) -> pb.TokenEvent:
    return pb.TokenEvent(
        index=event.index,
        token=_target_token(event.token),
        text_delta=event.text_delta,
        attention=_maps(event.maps, options),
    )


def _hypothesis(hypothesis: Hypothesis, options: AttentionOptions) -> pb.Hypothesis:
    return pb.Hypothesis(
        text=hypothesis.text,
        tokens=[_target_token(token) for token in hypothesis.tokens],
        words=_words(hypothesis.words),
        score=hypothesis.score,
        finish_reason=enums.FINISH_REASON.number(hypothesis.finish_reason),
        attention=_maps(hypothesis.maps, options),
        links=[pb.Link(source=link.source, target=link.target) for link in hypothesis.links],
        pharaoh=pharaoh(hypothesis.links),
        entropy=hypothesis.entropy,
        coverage=hypothesis.coverage,
        source_coverage=hypothesis.source_coverage,
    )


def pharaoh(links: Iterable[Link]) -> str:
    """Links in Pharaoh format: "source-target" pairs, ordered by source."""
    return " ".join(f"{source}-{target}" for source, target in sorted((link.source, link.target) for link in links))


def _source_tokens(source: Source) -> list[pb.SourceToken]:
    return [
        pb.SourceToken(id=token.id, piece=token.piece, span=_span(token.span), special=token.special)
        for token in source.tokens
    ]


def _target_token(token: Token) -> pb.TargetToken:
    return pb.TargetToken(
        id=token.id,
        piece=token.piece,
        logprob=token.logprob,
        span=_span(token.span),
        special=token.special,
        copied=token.copied_from is not None,
        copied_from=token.copied_from,
    )


def _words(words: Iterable[Word]) -> list[pb.Word]:
    return [
        pb.Word(text=word.text, span=_span(word.span), tokens=_span(word.tokens), special=word.special)
        for word in words
    ]


def _span(span: Span | None) -> pb.Span | None:
    return None if span is None else pb.Span(start=span.start, end=span.end)


def _image_grid(grid: ImageGrid | None) -> pb.ImageGrid | None:
    if grid is None:
        return None
    left, top, right, bottom = grid.box
    return pb.ImageGrid(
        rows=grid.rows,
        columns=grid.columns,
        first_position=grid.first_position,
        image_width=grid.image_width,
        image_height=grid.image_height,
        box=pb.Box(left=left, top=top, right=right, bottom=bottom),
    )


def _maps(maps: Iterable[AttentionMap], options: AttentionOptions) -> list[pb.AttentionMap]:
    return [_map(attention_map, options) for attention_map in maps]


def _map(attention_map: AttentionMap, options: AttentionOptions) -> pb.AttentionMap:
    encoded = encode_map(attention_map.values, options.encoding, options.top_k)
    method = pb.ALIGNMENT_METHOD_UNSPECIFIED
    if attention_map.method is not None:
        method = enums.ALIGNMENT_METHOD.number(attention_map.method)
    return pb.AttentionMap(
        kind=enums.ATTENTION_KIND.number(attention_map.kind),
        shape=attention_map.values.shape,
        layers=attention_map.layers,
        heads=attention_map.heads,
        granularity=enums.GRANULARITY.number(attention_map.granularity),
        encoding=enums.ENCODING.number(options.encoding),
        data=encoded.data,
        indices=encoded.indices,
        top_k=encoded.top_k,
        scale=encoded.scale,
        alignment_method=method,
        weighting=enums.WEIGHTING.number("value_norm" if options.value_norms else "attention"),
    )
