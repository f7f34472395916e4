"""Sample results for tests of plots, pages and JSON: real messages with made-up weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from regard.calls.results import Result
from regard.v1 import regard_pb2 as pb
from regard.wire.encoding import encode

END = "</s>"


def message_map(kind: pb.AttentionKind.ValueType, values: np.ndarray, **fields: Any) -> pb.AttentionMap:
    """A map on the wire, float32 and dense, with layers and heads if it has four axes."""
    data, _ = encode(values.astype(np.float32), pb.ENCODING_FLOAT32, 0, 0.0)
    axes: dict[str, Any] = (
        {"layers": range(values.shape[0]), "heads": range(values.shape[1])} if values.ndim == 4 else {}
    )
    return pb.AttentionMap(
        kind=kind,
        shape=values.shape,
        encoding=pb.ENCODING_FLOAT32,
        granularity=pb.GRANULARITY_WORD,
        data=data,
        **axes,
        **fields,
    )


def rows(*shape: int, seed: int = 0) -> np.ndarray:
    """Random weights of that shape; rows sum to 1."""
    values = np.random.default_rng(seed).random(shape) ** 4 + 1e-3
    weights: np.ndarray = values / values.sum(axis=-1, keepdims=True)
    return weights


def words_of(texts: Sequence[str]) -> list[pb.Word]:
    words, start = [], 0
    for index, text in enumerate(texts):
        tokens = pb.Span(start=index, end=index + 1)
        if text == END:
            words.append(pb.Word(text=text, tokens=tokens, special=True))
        else:
            words.append(pb.Word(text=text, tokens=tokens, span=pb.Span(start=start, end=start + len(text))))
            start += len(text) + 1
    return words


def text_result(source: Sequence[str], target: Sequence[str], num_hypotheses: int = 1) -> Result:
    """A translation with every kind of map, by words; 2 layers of 3 heads."""
    num_source, num_target = len(source) + 1, len(target) + 1
    causal = np.tril(rows(2, 3, num_target, num_target + 1))
    hypotheses = []
    for number in range(num_hypotheses):
        words = words_of([*target, END])
        maps = [
            message_map(pb.ATTENTION_KIND_ALIGNMENT, rows(num_target, num_source, seed=number)),
            message_map(pb.ATTENTION_KIND_CROSS, rows(2, 3, num_target, num_source, seed=number)),
            message_map(pb.ATTENTION_KIND_DECODER_SELF, causal / causal.sum(axis=-1, keepdims=True)),
            message_map(pb.ATTENTION_KIND_ROLLOUT, rows(num_target, num_source, seed=7)),
        ]
        text = " ".join(target)
        tokens = [
            pb.TargetToken(id=index, piece="▁" + word.text, logprob=-0.25, special=word.special)
            for index, word in enumerate(words)
        ]
        hypotheses.append(pb.Hypothesis(text=text, tokens=tokens, words=words, score=-0.5 - number, attention=maps))
    words = words_of([*source, END])
    message = pb.Result(
        hypotheses=hypotheses,
        source_words=words,
        source_tokens=[pb.SourceToken(id=i, piece="▁" + w.text, special=w.special) for i, w in enumerate(words)],
        source_attention=[message_map(pb.ATTENTION_KIND_ENCODER_SELF, rows(2, 3, num_source, num_source))],
        num_parts=1,
        model="made-up",
        model_version="3",
        timings=pb.Timings(queue_ms=1.0, encode_ms=2.0, decode_ms=3.0),
    )
    return Result.from_message(message)


def caption_result(words: Sequence[str], grid: pb.ImageGrid) -> Result:
    """A caption whose word i attends to region i of the grid only, and whose end token to none."""
    length = grid.first_position + grid.rows * grid.columns
    weights = np.zeros((len(words) + 1, length), np.float32)
    for index in range(len(words)):
        weights[index, grid.first_position + index] = 1
    hypothesis = pb.Hypothesis(
        text=" ".join(words),
        tokens=[pb.TargetToken(id=i, piece="▁" + w) for i, w in enumerate([*words, END])],
        words=words_of([*words, END]),
        attention=[message_map(pb.ATTENTION_KIND_ALIGNMENT, weights)],
    )
    return Result.from_message(pb.Result(hypotheses=[hypothesis], image_grid=grid, model="made-up", model_version="1"))
