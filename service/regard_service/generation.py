"""How an output is decoded: every value set and within its bounds."""

from dataclasses import dataclass

from regard.wire import enums

EarlyStopping = enums.EarlyStopping
FinishReason = enums.FinishReason


@dataclass(frozen=True)
class Sampling:
    """Draws tokens instead of taking the best: temperature first, then the `top_k` best, then nucleus `top_p`.

    Attributes:
        top_k: 0 means all.
        seed: the same seed gives the same result, whoever shares the batch.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Generation:
    """How to decode; every value is set and within its bounds. Semantics are those of `transformers` generate."""

    max_new_tokens: int
    num_beams: int = 1
    num_return_sequences: int = 1
    min_new_tokens: int = 0
    length_penalty: float = 1.0
    early_stopping: EarlyStopping = "heuristic"
    no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    forced_first_id: int | None = None
    sampling: Sampling | None = None
