"""A source text and its translation, with the attention between their tokens."""

from dataclasses import dataclass

from regard.arrays import Float32Array
from regard_service.domain.results import Span


@dataclass(frozen=True)
class AlignedText:
    """A segment's source and target.

    Attributes:
        source_spans, target_spans: each token's place in `source` or `target`; None for special tokens.
        weights: float32 [target tokens, source tokens], the alignment; None if nobody needed it.
    """

    source: str
    target: str
    source_spans: tuple[Span | None, ...]
    target_spans: tuple[Span | None, ...]
    weights: Float32Array | None = None
