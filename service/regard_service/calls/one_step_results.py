"""Results of models without a decoder, from what their encode graphs output for an input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from regard.arrays import Float32Array
from regard_service.bundle import (
    CANDIDATE_IDS,
    CANDIDATE_LOGITS,
    LOG_NORMALIZER,
    LOGITS,
    POOLED,
    BoxesOutput,
    LabelsOutput,
    PiecesOutput,
    VectorOutput,
)
from regard_service.calls.boxes import find_objects
from regard_service.calls.followed import FollowedObject
from regard_service.calls.inputs import Part, axis_words, source_of
from regard_service.calls.probabilities import probabilities
from regard_service.calls.results import timings_of
from regard_service.domain.calls import AnswerCall, Call, ClassifyCall, DetectCall, EncodeCall, FillMaskCall
from regard_service.domain.explanations import Explanation
from regard_service.domain.outputs import (
    AnswerResult,
    ClassifyResult,
    Detection,
    DetectResult,
    EncodeResult,
    FilledMask,
    FillMaskResult,
    LabelScore,
    PieceScore,
    ReadInput,
    TokenLabels,
)
from regard_service.domain.results import AttentionMap, Source, Span, Token
from regard_service.engine.core.result import EngineResult
from regard_service.engine.runtime.trace import Trace
from regard_service.errors import Unsupported
from regard_service.maps.builder import MapBuilder
from regard_service.maps.word_maps import map_between_words
from regard_service.pictures.reader import SourceImage
from regard_service.repository.loader import LoadedModel
from regard_service.text.reading import SourceReader, SourceText


@dataclass(frozen=True)
class AnsweredInput:
    """One input of a call, with what the engine made of it.

    Attributes:
        trace: in calls for maps.
    """

    model: LoadedModel
    call: Call
    part: Part
    result: EngineResult
    trace: Trace | None

    def read(self, *, has_tokens: bool = False, queries: Sequence[int] | None = None) -> ReadInput:
        """Describes the input.

        Args:
            has_tokens: whether its tokens are listed although there are no maps.
            queries: those that found something, of a model with queries.
        """
        options = self.call.attention
        has_words = bool(options.kinds) and options.granularity == "word"
        full = source_of((self.part,), has_words=has_words)
        lists_tokens = has_tokens or bool(options.kinds) or full.image_grid is not None
        source = full if lists_tokens else Source(num_truncated_tokens=full.num_truncated_tokens)
        return ReadInput(
            source=source,
            num_tokens=self.model.runner.source_length(self.part.array),
            timings=timings_of([self.result]),
            model=self.model.name,
            version=self.model.manifest.version,
            maps=tuple(self._maps(full, queries)),
        )

    def _maps(self, source: Source, queries: Sequence[int] | None) -> Iterator[AttentionMap]:
        if self.trace is None:
            return
        builder = MapBuilder(self.call.attention, self.model.manifest.attention)
        for found in builder.of_encoder(self.trace) if queries is None else builder.of_queries(self.trace, queries):
            if not source.words:  # of calls for tokens, and of pictures without a question
                yield found
                continue
            words = axis_words(source, found.values.shape[-1])
            yield map_between_words(found, words, words)


def vector_of(answered: AnsweredInput, call: EncodeCall, output: VectorOutput) -> EncodeResult:
    """Returns the vector of an input, as the call pools and normalizes it."""
    pooling = call.pooling or output.pooling
    is_normalized = output.is_normalized if call.is_normalized is None else call.is_normalized
    vector: Float32Array = answered.result.outputs[POOLED.format(pooling)].astype(np.float32)
    if is_normalized:
        length = float(np.linalg.norm(vector))
        vector = (vector / length).astype(np.float32) if length else vector
    return EncodeResult(vector, pooling, is_normalized, answered.read())


def labels_of(answered: AnsweredInput, call: ClassifyCall, output: LabelsOutput) -> ClassifyResult:
    """Returns the labels of an input, or of its tokens."""
    logits: Float32Array = answered.result.outputs[LOGITS].astype(np.float32)
    chances = probabilities(logits, is_exclusive=output.is_exclusive)
    columns = _columns(call, output)
    if output.of == "source":
        top_k = len(columns) if call.top_k is None else call.top_k
        labels = _likeliest(chances, columns, output, top_k, call.threshold)
        return ClassifyResult(labels, (), answered.read(has_tokens=bool(call.explain.evidence)))
    tokens = tuple(
        TokenLabels(index, span, _likeliest(row, columns, output, call.top_k or 1, call.threshold))
        for index, span, row in _of_text(answered.part, chances)
    )
    return ClassifyResult((), tokens, answered.read(has_tokens=True))


def answer_of(answered: AnsweredInput, call: AnswerCall, output: LabelsOutput) -> AnswerResult:
    """Returns the answers to a question, likeliest first."""
    logits: Float32Array = answered.result.outputs[LOGITS].astype(np.float32)
    chances = probabilities(logits, is_exclusive=output.is_exclusive)
    columns = _columns(call, output)
    top_k = len(columns) if call.top_k is None else call.top_k
    return AnswerResult(_likeliest(chances, columns, output, top_k, call.threshold), answered.read())


def _columns(call: ClassifyCall | AnswerCall, output: LabelsOutput) -> list[int]:
    """The labels that a call chooses, by their places among the model's."""
    wanted = set(call.labels) or set(output.labels)
    return [column for column, label in enumerate(output.labels) if label in wanted]


def _of_text(part: Part, values: Float32Array) -> Iterator[tuple[int, Span, Float32Array]]:
    """Yields the tokens of a text that are no special ones: index, place, and row of values [tokens, ...]."""
    for index, token in enumerate(tokens_of(part)):
        if token.span is not None and not token.is_special:
            yield index, token.span, values[index]


def tokens_of(part: Part) -> tuple[Token, ...]:
    """Returns the tokens of a text; none of a picture."""
    return part.tokens if isinstance(part, SourceText) else ()


def _likeliest(
    chances: Float32Array, columns: Sequence[int], output: LabelsOutput, top_k: int, threshold: float
) -> tuple[LabelScore, ...]:
    """Args: chances: float32 [labels]; columns: of the labels that count."""
    ranked = sorted(columns, key=lambda column: -chances[column])[:top_k]
    scores = [LabelScore(output.labels[column], float(chances[column])) for column in ranked]
    return tuple(score for score in scores if score.probability >= threshold)


def objects_of(answered: AnsweredInput, call: DetectCall, output: BoxesOutput) -> DetectResult:
    """Returns the objects in a picture. Raises Unsupported: the model reads no pictures."""
    if not isinstance(answered.part, SourceImage):
        raise Unsupported(f"model {answered.model.name!r} reads no pictures")
    detections = find_objects(answered.result.outputs, output, answered.part.grid, call)
    return DetectResult(detections, answered.read(queries=[each.query for each in detections]))


def objects_to_follow(
    answered: AnsweredInput, objects: Sequence[Detection], output: BoxesOutput
) -> tuple[FollowedObject, ...]:
    """Returns what is followed of objects in a picture; nothing if the input is none."""
    part, layout = answered.part, answered.model.manifest.attention
    if not isinstance(part, SourceImage):
        return ()
    return tuple(FollowedObject(each, output, part.grid, layout, answered.result.outputs) for each in objects)


def with_explanations(
    result: DetectResult, objects: Sequence[Detection], explained: Sequence[tuple[Explanation, ...]]
) -> DetectResult:
    """Returns a result some of whose objects are explained. Args: explained: of each of `objects`, in their order."""
    of_object = dict(zip(objects, explained, strict=True))
    detections = tuple(each._replace(explanations=of_object.get(each, ())) for each in result.detections)
    return replace(result, detections=detections)


def filled_masks_of(answered: AnsweredInput, call: FillMaskCall, output: PiecesOutput) -> FillMaskResult:
    """Returns the likeliest pieces for the masks of a text. Raises Unsupported: the model reads no text."""
    outputs, reader = answered.result.outputs, answered.model.reader
    if not isinstance(reader, SourceReader):
        raise Unsupported(f"model {answered.model.name!r} reads no text")
    places = [index for index, token in enumerate(tokens_of(answered.part)) if token.id == output.mask_id]
    masks = []
    for row, index in enumerate(places):
        logits = outputs[CANDIDATE_LOGITS][row, : call.top_k].astype(np.float64)
        chances = np.exp(logits - float(outputs[LOG_NORMALIZER][row])).tolist()
        ids = outputs[CANDIDATE_IDS][row, : call.top_k].tolist()
        pieces = tuple(PieceScore(i, *reader.written(i), p) for i, p in zip(ids, chances, strict=True))
        masks.append(FilledMask(index, tokens_of(answered.part)[index].span or Span(0, 0), pieces))
    return FillMaskResult(tuple(masks), answered.read(has_tokens=True))
