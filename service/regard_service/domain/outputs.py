"""What models without a decoder make of inputs: vectors, labels, and pieces in place of masks."""

from dataclasses import dataclass
from typing import NamedTuple

from regard.arrays import Float32Array
from regard_service.domain.calls import Pooling
from regard_service.domain.explanations import Explanation
from regard_service.domain.results import AttentionMap, Source, Span, Timings


@dataclass(frozen=True)
class ReadInput:
    """An input as the model read it.

    Attributes:
        source: its tokens only in calls that need them: those for maps, and those whose results speak of tokens.
        num_tokens: that were read; of pictures, positions; of a picture with a question, both.
    """

    source: Source
    num_tokens: int
    timings: Timings
    model: str
    version: str
    maps: tuple[AttentionMap, ...] = ()


@dataclass(frozen=True)
class EncodeResult:
    """An input's vector, float32 [width]."""

    vector: Float32Array
    pooling: Pooling
    is_normalized: bool
    read: ReadInput


class LabelScore(NamedTuple):
    """A label and its probability."""

    label: str
    probability: float


class TokenLabels(NamedTuple):
    """The labels of one token, likeliest first. Args: token: its index in the source."""

    token: int
    span: Span
    labels: tuple[LabelScore, ...]


@dataclass(frozen=True)
class ClassifyResult:
    """The labels of a whole input, or of each of its tokens. Attributes: explanations: of one label of the input."""

    labels: tuple[LabelScore, ...]
    tokens: tuple[TokenLabels, ...]
    read: ReadInput
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True)
class AnswerResult:
    """The labels that answer a question, likeliest first. Attributes: explanations: of one label."""

    labels: tuple[LabelScore, ...]
    read: ReadInput
    explanations: tuple[Explanation, ...] = ()

    @property
    def answer(self) -> str:
        """The likeliest label; "" if none reaches the threshold."""
        return self.labels[0].label if self.labels else ""


class PieceScore(NamedTuple):
    """A piece of the vocabulary and its probability."""

    id: int
    piece: str
    text: str
    probability: float


class FilledMask(NamedTuple):
    """A mask, and its likeliest pieces. Args: token: its index in the source."""

    token: int
    span: Span
    pieces: tuple[PieceScore, ...]


@dataclass(frozen=True)
class FillMaskResult:
    """The masks of a text, in its order."""

    masks: tuple[FilledMask, ...]
    read: ReadInput


class Detection(NamedTuple):
    """An object in a picture.

    Attributes:
        score: in [0, 1].
        box: left, top, right and bottom, in pixels of the upright picture, within it.
        query: the index of the query that found it.
        explanations: of it, in calls that ask for them.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    query: int
    explanations: tuple[Explanation, ...] = ()


@dataclass(frozen=True)
class DetectResult:
    """The objects in a picture, highest score first. Maps have a row for each."""

    detections: tuple[Detection, ...]
    read: ReadInput


OneStepResult = EncodeResult | ClassifyResult | FillMaskResult | DetectResult | AnswerResult
