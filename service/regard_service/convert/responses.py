"""Writes results and stream events as protobuf messages.

Every message is filled in place. A message that is passed to the constructor of another is serialized and parsed again,
with all of its maps, once for each level above it.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from regard.v1 import regard_pb2 as pb
from regard_service.convert import enums
from regard_service.convert.map_encoding import encode_map
from regard_service.domain.calls import AttentionOptions
from regard_service.domain.results import (
    AttentionMap,
    Hypothesis,
    ImageGrid,
    Link,
    OutputWarning,
    Result,
    RiskReason,
    Segment,
    Source,
    Span,
    Started,
    StreamEvent,
    Token,
    TokenEvent,
    Word,
    mean_logprob,
)

# Writing this many weights of maps takes a millisecond or two, and a token as long as this many of them.
MAX_WEIGHTS_AT_ONCE = 1 << 17
WEIGHTS_PER_TOKEN = 200

Response = TypeVar(
    "Response", pb.TranslateResponse, pb.SummarizeResponse, pb.CaptionResponse, pb.ScoreResponse, pb.AlignResponse
)
Event = TypeVar("Event", pb.StreamTranslateResponse, pb.StreamSummarizeResponse, pb.StreamCaptionResponse)


def are_large(results: Iterable[Result]) -> bool:
    """Whether writing results may hold up an event loop for milliseconds."""
    left = MAX_WEIGHTS_AT_ONCE
    for result in results:
        left -= WEIGHTS_PER_TOKEN * (len(result.source.tokens) + len(result.segments))
        for hypothesis in result.hypotheses:
            left -= WEIGHTS_PER_TOKEN * len(hypothesis.tokens) + len(hypothesis.text)
        for each in result.all_maps():
            left -= each.values.size
    return left < 0


def write_response(results: Sequence[Result], options: AttentionOptions, response_class: type[Response]) -> Response:
    """Writes a unary response. Args: options: determine the encoding of maps; response_class: of the method."""
    response = response_class()
    for result in results:
        _write_result(response.results.add(), result, options)
    return response


def write_event(event: StreamEvent, options: AttentionOptions, event_class: type[Event]) -> Event:
    """Writes one event of a stream. Args: options: determine the encoding of maps; event_class: of the method."""
    message = event_class()
    if isinstance(event, Started):
        _write_started(message.started, event)
    elif isinstance(event, TokenEvent):
        _write_token_event(message.token, event, options)
    else:
        _write_result(message.finished.result, event, options)
    return message


def _write_result(message: pb.Result, result: Result, options: AttentionOptions) -> None:
    for hypothesis in result.hypotheses:
        _write_hypothesis(message.hypotheses.add(), hypothesis, options)
    write_source(message, result.source)
    message.num_parts = result.num_parts
    message.model = result.model
    message.model_version = result.version
    timings = message.timings
    timings.queue_ms = result.timings.queue_ms
    timings.encode_ms = result.timings.encode_ms
    timings.decode_ms = result.timings.decode_ms
    for each in result.maps:
        write_map(message.source_attention.add(), each, options)
    for segment in result.segments:
        _write_segment(message.segments.add(), segment, result.hypotheses[0])
    for warning in result.warnings:
        _write_warning(message.warnings.add(), warning)
    if result.detected_language:
        message.detected_language = result.detected_language
        message.language_confidence = result.language_confidence
    if result.risk is not None:
        message.risk = enums.RISK.number(result.risk)
        message.risk_score = result.risk_score
        for reason in result.risk_reasons:
            _write_risk_reason(message.risk_reasons.add(), reason)


def _write_segment(message: pb.Segment, segment: Segment, best: Hypothesis) -> None:
    _write_span(message.source, segment.source)
    _write_span(message.target, segment.target)
    _write_span(message.source_tokens, segment.source_tokens)
    _write_span(message.target_tokens, segment.target_tokens)
    if segment.is_copied:
        message.copied = True
    else:
        message.mean_logprob = mean_logprob(best.tokens[slice(*segment.target_tokens)])


def _write_span(message: pb.Span, span: Span) -> None:
    message.start, message.end = span


def _write_warning(message: pb.Warning, warning: OutputWarning) -> None:
    message.reason = enums.WARNING_REASON.number(warning.reason)
    message.message = warning.message
    if warning.segment is not None:
        message.segment = warning.segment


def _write_risk_reason(message: pb.RiskReason, reason: RiskReason) -> None:
    message.kind = enums.RISK_KIND.number(reason.kind)
    message.message = reason.message
    if reason.segment is not None:
        message.segment = reason.segment


def _write_started(message: pb.StartedEvent, event: Started) -> None:
    message.model = event.model
    message.model_version = event.version
    write_source(message, event.source)


def write_source(message: pb.Result | pb.StartedEvent | pb.ReadInput, source: Source) -> None:
    """Fills the fields of the source, which all these messages have."""
    add = message.source_tokens.add
    _write_tokens([add() for _ in source.tokens], source.tokens)
    for word in source.words:
        _write_word(message.source_words.add(), word)
    if source.num_truncated_tokens:
        message.truncated = True
        message.num_truncated_tokens = source.num_truncated_tokens
    if source.image_grid is not None:
        _write_image_grid(message.image_grid, source.image_grid)


def _write_token_event(message: pb.TokenEvent, event: TokenEvent, options: AttentionOptions) -> None:
    message.index = event.index
    _write_target_tokens([message.token], [event.token])
    message.text_delta = event.text_delta
    for each in event.maps:
        write_map(message.attention.add(), each, options)


def _write_hypothesis(message: pb.Hypothesis, hypothesis: Hypothesis, options: AttentionOptions) -> None:
    message.text = hypothesis.text
    add = message.tokens.add
    _write_target_tokens([add() for _ in hypothesis.tokens], hypothesis.tokens)
    for word in hypothesis.words:
        _write_word(message.words.add(), word)
    message.score = hypothesis.score
    message.finish_reason = enums.FINISH_REASON.number(hypothesis.finish_reason)
    for each in hypothesis.maps:
        write_map(message.attention.add(), each, options)
    if hypothesis.entropy or hypothesis.links:
        _write_alignment(message, hypothesis)
    message.mean_logprob = hypothesis.mean_logprob
    for rated in hypothesis.word_confidences:
        added = message.word_confidences.add()
        added.span.start, added.span.end = rated.span
        added.probability = rated.probability
    message.source_share.extend(hypothesis.source_share)


def _write_alignment(message: pb.Hypothesis, hypothesis: Hypothesis) -> None:
    """Fills the measures of the alignment, each of which has one entropy or more."""
    for link in hypothesis.links:
        written = message.links.add()
        written.source, written.target = link.source, link.target
    message.pharaoh = pharaoh(hypothesis.links)
    message.entropy.extend(hypothesis.entropy)
    message.coverage.extend(hypothesis.coverage)
    message.source_coverage.extend(hypothesis.source_coverage)


def pharaoh(links: Iterable[Link]) -> str:
    """Formats links as Pharaoh does: "source-target" pairs, ordered by source."""
    return " ".join(f"{source}-{target}" for source, target in sorted((link.source, link.target) for link in links))


def _write_tokens(messages: Sequence[pb.SourceToken | pb.TargetToken], tokens: Sequence[Token]) -> None:
    """Fills the fields that tokens of both sides have.

    Fields with their default value are not set, and there is no call for each token: both save time.
    """
    for message, token in zip(messages, tokens, strict=True):
        token_id, piece, span, is_special, _, _ = token
        message.id = token_id
        message.piece = piece
        if span is not None:
            written = message.span
            written.start, written.end = span
        if is_special:
            message.special = True


def _write_target_tokens(messages: Sequence[pb.TargetToken], tokens: Sequence[Token]) -> None:
    _write_tokens(messages, tokens)
    for message, token in zip(messages, tokens, strict=True):
        message.logprob = token.logprob
        if token.copied_from is not None:
            message.copied = True
            message.copied_from = token.copied_from


def _write_word(message: pb.Word, word: Word) -> None:
    message.text = word.text
    if word.span is not None:
        message.span.start, message.span.end = word.span
    message.tokens.start, message.tokens.end = word.tokens
    message.special = word.is_special


def _write_image_grid(message: pb.ImageGrid, grid: ImageGrid) -> None:
    message.rows = grid.rows
    message.columns = grid.columns
    message.first_position = grid.first_position
    message.image_width = grid.image_width
    message.image_height = grid.image_height
    message.box.left, message.box.top, message.box.right, message.box.bottom = grid.box


def write_map(message: pb.AttentionMap, attention_map: AttentionMap, options: AttentionOptions) -> None:
    """Fills the message of a map. Args: options: determine its encoding."""
    encoded = encode_map(attention_map.values, options.encoding, options.top_k)
    message.kind = enums.ATTENTION_KIND.number(attention_map.kind)
    message.shape.extend(attention_map.values.shape)
    message.layers.extend(attention_map.layers)
    message.heads.extend(attention_map.heads)
    message.granularity = enums.GRANULARITY.number(attention_map.granularity)
    message.encoding = enums.ENCODING.number(options.encoding)
    message.data = encoded.data
    message.indices = encoded.indices
    message.top_k = encoded.top_k
    message.scale = encoded.scale
    if attention_map.method is not None:
        message.alignment_method = enums.ALIGNMENT_METHOD.number(attention_map.method)
    message.weighting = enums.WEIGHTING.number(options.weighting)
    message.segment = attention_map.segment
    message.source_offset = attention_map.source_offset
    message.target_offset = attention_map.target_offset
