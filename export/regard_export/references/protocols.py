"""The original model, as verification calls it: the graphs must compute what it computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Array, Float32Array
from regard_service.generation import Generation

if TYPE_CHECKING:
    from torch import Tensor

Source = Sequence[int] | NDArray[np.int64] | Float32Array | Array
"""An encoder's input: the ids of a text (for a model that copies int64 [2, source], ids and words), or a picture's
pixels, float32 [3, height, width]; or both, as `question_record` joins them."""


def as_array(source: Source) -> Array:
    """The source as the engine's runner expects it."""
    return source if isinstance(source, np.ndarray) else np.array(source, np.int64)


@dataclass(frozen=True)
class TeacherForced:
    """The outputs of a decoder that reads a given target.

    Attributes:
        logits: float32 [target, vocabulary].
        log_normalizer: float32 [target], log-sum-exp of the logits.
        cross_attention: float32 [layers, heads, target, source].
    """

    logits: Float32Array
    log_normalizer: Float32Array
    cross_attention: Float32Array

    @classmethod
    def from_tensors(cls, logits: "Tensor", cross_attention: "Tensor") -> Self:
        """Computes the log-normalizer; shapes as above."""
        return cls(logits.numpy(), logits.logsumexp(dim=-1).numpy(), cross_attention.numpy())


@dataclass(frozen=True)
class Generated:
    """The best output.

    Attributes:
        tokens: after the start token, through the end token.
        score: with beams.
        cross_attention: along the tokens, float32 [layers, heads, target, source], if it was computed.
    """

    tokens: list[int]
    score: float | None
    cross_attention: Float32Array | None = None


class Reference(Protocol):
    """An original model. Every call takes one source, so that no result depends on padding."""

    @property
    def name(self) -> str:
        """Class and library of the original, for the report."""

    def memory(self, source: Source) -> dict[str, Float32Array]:
        """The decoder's memory of a source, by the memory's names, without the axis of requests."""

    def teacher_force(self, source: Source, target: Sequence[int]) -> TeacherForced:
        """Decodes a given target, which begins with the start token."""

    def generate(self, source: Source, generation: Generation) -> Generated:
        """Decodes freely, without sampling; with beams, the score is `regard_service.bundle.GenerationDefaults`'."""


@runtime_checkable
class TextReference(Reference, Protocol):
    """An original model of texts."""

    @property
    def unknown_id(self) -> int | None:
        """The id of characters that the tokenizer does not know; None if it knows all."""

    def tokenize(self, text: str, key: str) -> list[int]:
        """The encoder's ids of a text; `key` is the target language or style."""

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of the decoder's ids, without special tokens."""


@runtime_checkable
class ControlTokenReference(TextReference, Protocol):
    """An original model of texts that may hold control tokens."""

    def read_control_tokens(self, text: str, key: str) -> list[int]:
        """As `tokenize`, but special tokens in the text are read as tokens."""


@runtime_checkable
class PictureReference(Reference, Protocol):
    """An original model of pictures with an image processor and a tokenizer of its own."""

    def pixels(self, file: bytes) -> Float32Array:
        """The encoder's input for a picture: float32 [3, height, width]."""

    def target_ids(self, text: str) -> list[int]:
        """The decoder's ids of a text, without special tokens."""

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of the decoder's ids, without special tokens."""


class EncoderReference(Protocol):
    """An original model without a decoder. Every call takes one source, so that no result depends on padding."""

    @property
    def name(self) -> str:
        """Class and library of the original, for the report."""

    def outputs(self, source: Source) -> dict[str, Float32Array]:
        """The outputs of the encode graph by their names, without the axis of requests; for masks `masked_logits`,
        float32 [masked, vocabulary], of which the graph outputs the largest.
        """

    def attention(self, source: Source) -> Float32Array | None:
        """The weights of all layers' self-attention: float32 [layers, heads, source, source]; None where the original
        has none in this form.
        """


@runtime_checkable
class QueryReference(EncoderReference, Protocol):
    """An original model whose queries attend to the source."""

    def cross_attention(self, source: Source) -> Float32Array | None:
        """The weights of all layers: float32 [layers, heads, queries, source]; None where the model has none."""


@runtime_checkable
class GatedReference(EncoderReference, Protocol):
    """An original model whose feature maps are gated."""

    def gates(self, source: Source) -> dict[str, Float32Array]:
        """The gates of all layers by the kinds of map that the model offers: "channel", float32 [layers, channels], and
        "spatial", float32 [layers, source].
        """


@runtime_checkable
class TextEncoderReference(EncoderReference, Protocol):
    """An original model of texts without a decoder."""

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids that are never text."""

    def tokenize(self, text: str) -> list[int]:
        """The encoder's ids of a text."""
