"""What models without a decoder make of inputs: vectors, labels, and pieces in place of masks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self, cast

import numpy as np

from regard.arrays import Float32Array
from regard.errors.names import check_names
from regard.names import AttentionKind, Evidence, Pooling
from regard.v1 import regard_pb2 as pb
from regard.values.maps import AttentionMap, described, read_maps
from regard.values.outputs import ImageGrid, Timings, shortened
from regard.values.units import Span, Token, Word, read_source_tokens, read_words
from regard.wire import as_json, enums


@dataclass(frozen=True)
class ReadInput:
    """An input as a model without a decoder read it.

    Attributes:
        source_tokens: the axes of the maps; empty in calls that need no tokens, and for pictures without a question.
        source_words: the axes if the call asks for words, otherwise empty.
        image_grid: for pictures, where the axes lie on the picture; behind a question's tokens (or words).
        truncated, num_truncated_tokens: whether the end of the text was cut off, and how many tokens.
        num_tokens: how many were read, special ones included; of pictures, positions.
        attention: the maps that the call asks for.
    """

    source_tokens: tuple[Token, ...]
    source_words: tuple[Word, ...]
    image_grid: ImageGrid | None
    truncated: bool
    num_truncated_tokens: int
    num_tokens: int
    attention: tuple[AttentionMap, ...]
    model: str
    model_version: str
    timings: Timings

    def find_map(self, kind: AttentionKind) -> AttentionMap | None:
        """The map of that kind; None if the call did not ask for it. Raises ValueError: there is no such kind."""
        check_names("kind of map", [kind], list(enums.ATTENTION_KIND.names), ValueError)
        return next((each for each in self.attention if each.kind == kind), None)

    @classmethod
    def from_message(cls, message: pb.ReadInput) -> "ReadInput":
        """Reads a ReadInput of the API."""
        times = message.timings
        return cls(
            source_tokens=read_source_tokens(message.source_tokens),
            source_words=read_words(message.source_words),
            image_grid=ImageGrid.from_message(message.image_grid) if message.HasField("image_grid") else None,
            truncated=message.truncated,
            num_truncated_tokens=message.num_truncated_tokens,
            num_tokens=message.num_tokens,
            attention=read_maps(message.attention),
            model=message.model,
            model_version=message.model_version,
            timings=Timings(times.queue_ms, times.encode_ms, times.decode_ms),
        )

    def __str__(self) -> str:
        return f"by {self.model}@{self.model_version}{described(self.attention)}"


@dataclass(frozen=True)
class EncodeResult:
    """The vector of an input.

    Attributes:
        vector: float32 [width], read-only.
        normalized: whether it was divided by its length.
        input: the input as the model read it.
    """

    vector: Float32Array = field(compare=False)
    pooling: Pooling
    normalized: bool
    input: ReadInput
    message: pb.EncodeResult = field(repr=False)

    def __repr__(self) -> str:
        return f"<EncodeResult of {len(self.vector)} numbers {self.input}>"

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object: the proto's field names, maps as nested lists."""
        return as_json.to_dict(self.message)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return as_json.to_json(self.message)

    @classmethod
    def from_message(cls, message: pb.EncodeResult) -> "EncodeResult":
        """Reads an EncodeResult of the API."""
        vector = np.array(message.vector, np.float32)
        vector.flags.writeable = False
        return cls(
            vector=vector,
            pooling=cast(Pooling, enums.POOLING.name_if_known(message.pooling)),
            normalized=message.normalized,
            input=ReadInput.from_message(message.input),
            message=message,
        )


@dataclass(frozen=True)
class LabelScore:
    """A label and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class TokenLabels:
    """The labels of one token, likeliest first.

    Attributes:
        token: index in `input.source_tokens`.
        span: its place in the text.
    """

    token: int
    span: Span
    labels: tuple[LabelScore, ...]


@dataclass(frozen=True)
class Erasure:
    """A label's probability without a share of an input's tokens or regions, and with nothing else.

    Attributes:
        num_erased: how many tokens or regions the share is.
        without, alone: the probability without them, and with them alone.
    """

    share: float
    num_erased: int
    without: float
    alone: float


@dataclass(frozen=True)
class Explanation:
    """What a source of evidence for a label is worth (DeYoung et al. 2020).

    Attributes:
        probability: of the label, with the whole input; of an object its score.
        scores: float32 [tokens], 0 of special ones, or [regions], row by row; read-only.
        comprehensiveness: by how much the probability falls without the evidence, averaged over the shares.
        sufficiency: by how much with nothing but the evidence.
        num_runs: how many times the model read the input again.
    """

    evidence: Evidence
    label: str
    probability: float
    scores: Float32Array = field(compare=False)
    comprehensiveness: float
    sufficiency: float
    erasures: tuple[Erasure, ...]
    num_runs: int

    @classmethod
    def from_message(cls, message: pb.Explanation) -> "Explanation":
        """Reads an Explanation of the API."""
        scores = np.array(message.scores, np.float32)
        scores.flags.writeable = False
        return cls(
            evidence=cast(Evidence, enums.EVIDENCE.name_if_known(message.evidence)),
            label=message.label,
            probability=message.probability,
            scores=scores,
            comprehensiveness=message.comprehensiveness,
            sufficiency=message.sufficiency,
            erasures=tuple(Erasure(e.share, e.num_erased, e.without, e.alone) for e in message.erasures),
            num_runs=message.num_runs,
        )


@dataclass(frozen=True)
class ClassifiedInput:
    """The labels of an input.

    Attributes:
        labels: of the whole input, likeliest first; empty for models that label tokens.
        tokens: the labels of each token, in the text's order; empty for models that label whole inputs.
        input: the input as the model read it.
        explanations: of a label of the whole input, if the call asks for them.
    """

    labels: tuple[LabelScore, ...]
    tokens: tuple[TokenLabels, ...]
    input: ReadInput
    message: pb.ClassifyResult = field(repr=False, compare=False)
    explanations: tuple[Explanation, ...] = ()

    def __repr__(self) -> str:
        found = [f"{each.label} {each.probability:.3f}" for each in self.labels[:1]] or [f"{len(self.tokens)} tokens"]
        return f"<ClassifyResult {shortened(found[0])} {self.input}>"

    @property
    def label(self) -> str:
        """The likeliest label of the whole input. Raises ValueError if there is none."""
        if not self.labels:
            raise ValueError("there is no label of the whole input")
        return self.labels[0].label

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object: the proto's field names, maps as nested lists."""
        return as_json.to_dict(self.message)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return as_json.to_json(self.message)

    @classmethod
    def from_message(cls, message: pb.ClassifyResult) -> Self:
        """Reads a ClassifyResult of the API."""
        return cls(
            labels=_read_labels(message.labels),
            tokens=tuple(
                TokenLabels(each.token, Span(each.span.start, each.span.end), _read_labels(each.labels))
                for each in message.tokens
            ),
            input=ReadInput.from_message(message.input),
            message=message,
            explanations=tuple(Explanation.from_message(each) for each in message.explanations),
        )


def _read_labels(messages: Iterable[pb.LabelScore]) -> tuple[LabelScore, ...]:
    return tuple(LabelScore(each.label, each.probability) for each in messages)


@dataclass(frozen=True)
class AnswerResult:
    """The answer to a question about a picture.

    Attributes:
        answer: the likeliest label; "" if none reaches the threshold.
        labels: with their probabilities, likeliest first.
        input: question and picture as the model read them. The axes of its maps are the question's tokens (or words),
            then the picture's positions.
        explanations: of a label, if the call asks for them; their scores are the picture's regions'.
    """

    answer: str
    labels: tuple[LabelScore, ...]
    input: ReadInput
    message: pb.AnswerResult = field(repr=False, compare=False)
    explanations: tuple[Explanation, ...] = ()

    def __repr__(self) -> str:
        return f"<AnswerResult {shortened(self.answer)!r} {self.input}>"

    def question_over_picture(self, values: Float32Array) -> Float32Array:
        """The part of a map that shows where on the picture each of the question's units looks.

        Args:
            values: float32 [..., source, source], of a map, or of a layer or head of it.

        Returns:
            float32 [..., units of the question, rows, columns]. Raises ValueError for values of other axes.
        """
        first, grid = self._axes(values)
        num_units = len(self.input.source_words or self.input.source_tokens)
        part = values[..., :num_units, first : first + grid.rows * grid.columns]
        return part.reshape(*part.shape[:-1], grid.rows, grid.columns)

    def picture_over_question(self, values: Float32Array) -> Float32Array:
        """The part of a map that shows which of the question's units each part of the picture looks at.

        Args:
            values: as of `question_over_picture`.

        Returns:
            float32 [..., rows, columns, units of the question]. Raises ValueError for values of other axes.
        """
        first, grid = self._axes(values)
        num_units = len(self.input.source_words or self.input.source_tokens)
        part = values[..., first : first + grid.rows * grid.columns, :num_units]
        return part.reshape(*part.shape[:-2], grid.rows, grid.columns, num_units)

    def _axes(self, values: Float32Array) -> tuple[int, ImageGrid]:
        """The grid's first position, and the grid."""
        grid = self.input.image_grid
        if grid is None:
            raise ValueError("this result has no picture")
        end = grid.first_position + grid.rows * grid.columns
        if values.shape[-2:] != (end, end):
            raise ValueError(f"a map of this result ends in axes of {end} x {end}; these are {values.shape[-2:]}")
        return grid.first_position, grid

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object: the proto's field names, maps as nested lists."""
        return as_json.to_dict(self.message)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return as_json.to_json(self.message)

    @classmethod
    def from_message(cls, message: pb.AnswerResult) -> "AnswerResult":
        """Reads an AnswerResult of the API."""
        return cls(
            answer=message.answer,
            labels=_read_labels(message.labels),
            input=ReadInput.from_message(message.input),
            message=message,
            explanations=tuple(Explanation.from_message(each) for each in message.explanations),
        )


@dataclass(frozen=True)
class PieceScore:
    """A piece of the vocabulary in place of a mask.

    Attributes:
        piece: the vocabulary's spelling; `text` is without its marks.
        probability: among the whole vocabulary.
    """

    id: int
    piece: str
    text: str
    probability: float


@dataclass(frozen=True)
class FilledMask:
    """A mask and its likeliest pieces.

    Attributes:
        token: index in `input.source_tokens`.
        span: its place in the text.
    """

    token: int
    span: Span
    pieces: tuple[PieceScore, ...]


@dataclass(frozen=True)
class FillMaskResult:
    """The masks of a text, in its order. Attributes: input: the text as the model read it."""

    masks: tuple[FilledMask, ...]
    input: ReadInput
    message: pb.FillMaskResult = field(repr=False, compare=False)

    def __repr__(self) -> str:
        best = ", ".join(mask.pieces[0].text for mask in self.masks if mask.pieces)
        return f"<FillMaskResult {shortened(best)!r} {self.input}>"

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object: the proto's field names, maps as nested lists."""
        return as_json.to_dict(self.message)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return as_json.to_json(self.message)

    @classmethod
    def from_message(cls, message: pb.FillMaskResult) -> "FillMaskResult":
        """Reads a FillMaskResult of the API."""
        return cls(
            masks=tuple(
                FilledMask(
                    each.token,
                    Span(each.span.start, each.span.end),
                    tuple(PieceScore(p.id, p.piece, p.text, p.probability) for p in each.pieces),
                )
                for each in message.masks
            ),
            input=ReadInput.from_message(message.input),
            message=message,
        )
