"""Calls of models without a decoder, from and to protobuf messages."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from regard.v1 import regard_pb2 as pb
from regard_service.convert import enums
from regard_service.convert.checks import Checks
from regard_service.convert.options import read_attention
from regard_service.convert.requests import RequestReader
from regard_service.convert.responses import write_map, write_source
from regard_service.domain.calls import (
    AnswerCall,
    AttentionOptions,
    Call,
    ClassifyCall,
    DetectCall,
    EncodeCall,
    FillMaskCall,
    Truncation,
)
from regard_service.domain.explanations import ExplainOptions, Explanation
from regard_service.domain.outputs import (
    AnswerResult,
    ClassifyResult,
    DetectResult,
    EncodeResult,
    FillMaskResult,
    LabelScore,
    OneStepResult,
    ReadInput,
)

MAX_LABELS = 1000
MAX_PIECES = 100
DEFAULT_PIECES = 5
DEFAULT_DETECTIONS, DEFAULT_SCORE = 100, 0.5
DEFAULT_ANSWERS = 5

# Writing this many weights of maps, or tokens, takes a millisecond or two.
MAX_WEIGHTS_AT_ONCE, MAX_TOKENS_AT_ONCE = 1 << 17, 512
WEIGHTS_PER_NUMBER = 4  # a number of a vector takes as long as this many weights, which are bytes in the message

_TextRequest = pb.EncodeRequest | pb.ClassifyRequest | pb.FillMaskRequest | pb.AnswerRequest
_Request = _TextRequest | pb.DetectRequest


def read_encode(request: pb.EncodeRequest, reader: RequestReader, time_remaining: float | None) -> EncodeCall:
    """Reads a request to encode. Raises InvalidInput with every violation, or DeadlinePassed."""
    checks = Checks()
    call = EncodeCall(
        **vars(_call(checks, request, reader, time_remaining)),
        texts=reader.check_texts(checks, request.texts),
        pooling=checks.enum("pooling", enums.POOLING, request.pooling),
        is_normalized=request.normalized if request.HasField("normalized") else None,
        truncation=_truncation(checks, request),
    )
    checks.raise_if_any()
    return call


def read_classify(request: pb.ClassifyRequest, reader: RequestReader, time_remaining: float | None) -> ClassifyCall:
    """Reads a request to classify. Raises InvalidInput with every violation, or DeadlinePassed."""
    checks = Checks()
    if request.texts and request.images:
        checks.add("images", "are given together with texts; a call has one kind of input")
    images = tuple(request.images)  # each access to a file of the message copies it
    _check_choice(checks, request)
    call = ClassifyCall(
        **vars(_call(checks, request, reader, time_remaining)),
        texts=() if images else reader.check_texts(checks, request.texts),
        images=reader.check_images(checks, images) if images else (),
        labels=_labels(checks, request.labels),
        top_k=request.top_k if request.HasField("top_k") else None,
        threshold=request.threshold,
        truncation=_truncation(checks, request),
        explain=_read_explain(checks, request),
    )
    checks.raise_if_any()
    return call


def _read_explain(checks: Checks, request: pb.ClassifyRequest | pb.AnswerRequest | pb.DetectRequest) -> ExplainOptions:
    """Reads what to explain, if anything. Whether the model can is checked later."""
    if not request.HasField("explain"):
        return ExplainOptions()
    config = request.explain
    if not config.evidence:
        checks.add("explain.evidence", "is empty; it names at least 1 source")
    found = []
    for index, number in enumerate(config.evidence):
        evidence = checks.enum(f"explain.evidence[{index}]", enums.EVIDENCE, number)
        if evidence is None and number == pb.EVIDENCE_UNSPECIFIED:
            checks.add(f"explain.evidence[{index}]", f"must be one of {', '.join(enums.EVIDENCE.names)}")
        elif evidence in found:
            checks.add(f"explain.evidence[{index}]", f"names {evidence} more than once")
        elif evidence is not None:
            found.append(evidence)
    return ExplainOptions(tuple(found), config.label)


def read_fill_mask(request: pb.FillMaskRequest, reader: RequestReader, time_remaining: float | None) -> FillMaskCall:
    """Reads a request to fill masks. Raises InvalidInput with every violation, or DeadlinePassed."""
    checks = Checks()
    if request.HasField("top_k"):
        checks.in_range("top_k", request.top_k, 1, MAX_PIECES)
    call = FillMaskCall(
        **vars(_call(checks, request, reader, time_remaining)),
        texts=reader.check_texts(checks, request.texts),
        top_k=request.top_k if request.HasField("top_k") else DEFAULT_PIECES,
        truncation=_truncation(checks, request),
    )
    checks.raise_if_any()
    return call


def read_detect(request: pb.DetectRequest, reader: RequestReader, time_remaining: float | None) -> DetectCall:
    """Reads a request to detect. Raises InvalidInput with every violation, or DeadlinePassed."""
    checks = Checks()
    _check_choice(checks, request)
    call = DetectCall(
        **vars(_call(checks, request, reader, time_remaining)),
        images=reader.check_images(checks, tuple(request.images)),  # each access to a file of the message copies it
        labels=_labels(checks, request.labels),
        top_k=request.top_k if request.HasField("top_k") else DEFAULT_DETECTIONS,
        threshold=request.threshold if request.HasField("threshold") else DEFAULT_SCORE,
        explain=_read_explain(checks, request),
    )
    checks.raise_if_any()
    return call


def read_answer(request: pb.AnswerRequest, reader: RequestReader, time_remaining: float | None) -> AnswerCall:
    """Reads a request to answer. Raises InvalidInput with every violation, or DeadlinePassed."""
    checks = Checks()
    images = reader.check_images(checks, tuple(request.images))
    questions = reader.check_texts(checks, request.questions, "questions")
    if images and questions and len(images) != len(questions) and 1 not in (len(images), len(questions)):
        fault = f"are {len(questions)} beside {len(images)} images; there must be equally many, or one of either"
        checks.add("questions", fault)
    _check_choice(checks, request)
    call = AnswerCall(
        **vars(_call(checks, request, reader, time_remaining)),
        images=images,
        questions=questions,
        labels=_labels(checks, request.labels),
        top_k=request.top_k if request.HasField("top_k") else DEFAULT_ANSWERS,
        threshold=request.threshold,
        truncation=_truncation(checks, request),
        explain=_read_explain(checks, request),
    )
    checks.raise_if_any()
    return call


def _check_choice(checks: Checks, request: pb.ClassifyRequest | pb.AnswerRequest | pb.DetectRequest) -> None:
    """Checks how many labels are returned, and from which probability on."""
    if request.HasField("top_k"):
        checks.in_range("top_k", request.top_k, 1, MAX_LABELS)
    if request.HasField("threshold"):
        checks.in_range("threshold", request.threshold, 0, 1)


def _call(checks: Checks, request: _Request, reader: RequestReader, time_remaining: float | None) -> Call:
    return Call(
        model=checks.name("model", request.model),
        attention=read_attention(checks, request.attention) if request.HasField("attention") else AttentionOptions(),
        is_bulk=checks.enum("priority", enums.PRIORITY, request.priority) == "bulk",
        deadline=reader.deadline(time_remaining),
    )


def _truncation(checks: Checks, request: _TextRequest) -> Truncation | None:
    truncation = checks.enum("truncation", enums.TRUNCATION, request.truncation)
    if truncation == "split":
        checks.add("truncation", "TRUNCATION_SPLIT_AND_JOIN is not offered here: parts' answers cannot be joined")
    return truncation


def _labels(checks: Checks, labels: Sequence[str]) -> tuple[str, ...]:
    """Whether the model has them is checked later."""
    if len(labels) > MAX_LABELS:
        checks.add("labels", f"names {len(labels)} labels; the limit is {MAX_LABELS}")
    else:
        for label, count in Counter(labels).items():
            if count > 1:
                checks.add("labels", f"names {label!r} more than once")
    return tuple(labels)


def is_slow_to_write(results: Iterable[OneStepResult]) -> bool:
    """Whether writing results may hold up an event loop for milliseconds."""
    num_weights = num_tokens = 0
    for result in results:
        num_weights += sum(each.values.size for each in result.read.maps)
        num_tokens += len(result.read.source.tokens)
        if isinstance(result, EncodeResult):
            num_weights += WEIGHTS_PER_NUMBER * result.vector.size
        num_weights += WEIGHTS_PER_NUMBER * sum(each.scores.size for each in _explanations_of(result))
    return num_weights > MAX_WEIGHTS_AT_ONCE or num_tokens > MAX_TOKENS_AT_ONCE


def _explanations_of(result: OneStepResult) -> Iterator[Explanation]:
    if isinstance(result, DetectResult):
        for found in result.detections:
            yield from found.explanations
    elif isinstance(result, (ClassifyResult, AnswerResult)):
        yield from result.explanations


def write_encode(results: Sequence[EncodeResult], options: AttentionOptions) -> pb.EncodeResponse:
    """Writes vectors. Args: options: determine the encoding of maps."""
    response = pb.EncodeResponse()
    for result in results:
        message = response.results.add()
        message.vector.extend(result.vector.tolist())
        message.pooling = enums.POOLING.number(result.pooling)
        message.normalized = result.is_normalized
        _write_input(message.input, result.read, options)
    return response


def write_classify(results: Sequence[ClassifyResult], options: AttentionOptions) -> pb.ClassifyResponse:
    """Writes labels. Args: options: determine the encoding of maps."""
    response = pb.ClassifyResponse()
    for result in results:
        message = response.results.add()
        for score in result.labels:
            _write_label(message.labels.add(), score)
        for labelled in result.tokens:
            token = message.tokens.add()
            token.token = labelled.token
            token.span.start, token.span.end = labelled.span
            for score in labelled.labels:
                _write_label(token.labels.add(), score)
        for explanation in result.explanations:
            _write_explanation(message.explanations.add(), explanation)
        _write_input(message.input, result.read, options)
    return response


def write_fill_mask(results: Sequence[FillMaskResult], options: AttentionOptions) -> pb.FillMaskResponse:
    """Writes filled masks. Args: options: determine the encoding of maps."""
    response = pb.FillMaskResponse()
    for result in results:
        message = response.results.add()
        for filled in result.masks:
            mask = message.masks.add()
            mask.token = filled.token
            mask.span.start, mask.span.end = filled.span
            for piece in filled.pieces:
                mask.pieces.add(id=piece.id, piece=piece.piece, text=piece.text, probability=piece.probability)
        _write_input(message.input, result.read, options)
    return response


def _write_explanation(message: pb.Explanation, explanation: Explanation) -> None:
    message.evidence = enums.EVIDENCE.number(explanation.evidence)
    message.label, message.probability = explanation.label, explanation.probability
    message.scores.extend(explanation.scores.tolist())
    message.comprehensiveness, message.sufficiency = explanation.comprehensiveness, explanation.sufficiency
    message.num_runs = explanation.num_runs
    for share, num_erased, without, alone in explanation.erasures:
        message.erasures.add(share=share, num_erased=num_erased, without=without, alone=alone)


def write_detect(results: Sequence[DetectResult], options: AttentionOptions) -> pb.DetectResponse:
    """Writes objects. Args: options: determine the encoding of maps."""
    response = pb.DetectResponse()
    for result in results:
        message = response.results.add()
        for found in result.detections:
            written = message.detections.add(label=found.label, score=found.score, query=found.query)
            written.box.left, written.box.top, written.box.right, written.box.bottom = found.box
            for explanation in found.explanations:
                _write_explanation(written.explanations.add(), explanation)
        _write_input(message.input, result.read, options)
    return response


def write_answer(results: Sequence[AnswerResult], options: AttentionOptions) -> pb.AnswerResponse:
    """Writes answers. Args: options: determine the encoding of maps."""
    response = pb.AnswerResponse()
    for result in results:
        message = response.results.add()
        message.answer = result.answer
        for score in result.labels:
            _write_label(message.labels.add(), score)
        for explanation in result.explanations:
            _write_explanation(message.explanations.add(), explanation)
        _write_input(message.input, result.read, options)
    return response


def _write_label(message: pb.LabelScore, score: LabelScore) -> None:
    message.label, message.probability = score


def _write_input(message: pb.ReadInput, read: ReadInput, options: AttentionOptions) -> None:
    write_source(message, read.source)
    message.num_tokens = read.num_tokens
    message.model = read.model
    message.model_version = read.version
    message.timings.queue_ms = read.timings.queue_ms
    message.timings.encode_ms = read.timings.encode_ms
    message.timings.decode_ms = read.timings.decode_ms
    for each in read.maps:
        write_map(message.attention.add(), each, options)
