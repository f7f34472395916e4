"""A synthetic result of the largest supported size, and synthetic weights."""

import numpy as np
from numpy.typing import NDArray

from regard.calls.results import Result
from regard.v1 import regard_pb2 as pb

NUM_LAYERS, NUM_HEADS, NUM_WORDS = 6, 8, 60


def large_result() -> Result:
    """A result of 60 words with the alignment and the cross-attention of 6 layers of 8 heads, by words, in float32."""
    weights = attention(NUM_LAYERS, NUM_HEADS, NUM_WORDS, NUM_WORDS)
    words = [pb.Word(text=f"word{number}") for number in range(NUM_WORDS)]
    maps = [
        _message(pb.ATTENTION_KIND_ALIGNMENT, weights.mean(axis=(0, 1))),
        _message(pb.ATTENTION_KIND_CROSS, weights),
    ]
    hypothesis = pb.Hypothesis(text=" ".join(word.text for word in words), words=words, attention=maps)
    return Result.from_message(pb.Result(model="made-up", source_words=words, hypotheses=[hypothesis]))


def attention(*shape: int) -> NDArray[np.float32]:
    """Weights float32 of a shape; rows sum to 1 and, like cross-attention, have a peak near the diagonal."""
    rng = np.random.default_rng(0)
    num_rows, num_columns = shape[-2:]
    distance = np.abs(np.arange(num_rows)[:, None] - np.arange(num_columns) * num_rows / num_columns)
    scores = rng.gamma(0.3, size=shape) + np.exp(-distance)
    return np.asarray(scores / scores.sum(axis=-1, keepdims=True), np.float32)


def _message(kind: pb.AttentionKind.ValueType, weights: NDArray[np.float32]) -> pb.AttentionMap:
    numbers = range(NUM_LAYERS), range(NUM_HEADS)
    return pb.AttentionMap(
        kind=kind,
        granularity=pb.GRANULARITY_WORD,
        encoding=pb.ENCODING_FLOAT32,
        shape=weights.shape,
        layers=numbers[0],
        heads=numbers[1],
        data=weights.astype("<f4").tobytes(),
    )
