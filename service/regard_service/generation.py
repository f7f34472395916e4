"""Generation: how an output is decoded. Every value is set and within its bounds."""

from dataclasses import dataclass

from regard import names

EarlyStopping = names.EarlyStopping
FinishReason = names.FinishReason


@dataclass(frozen=True)
class Sampling:
    """Draws tokens instead of taking the best: divides by the temperature, keeps the `top_k` best, then the nucleus
    of probability `top_p`.

    Attributes:
        top_k: 0 keeps all.
        seed: the same seed gives the same result, whichever requests share the batch.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Generation:
    """The settings of one decoding, with the meaning that `transformers` generate gives them.

    Attributes:
        follows_source_length: nobody set `max_new_tokens`: a multiple of the source's length is enough.
        max_loop: an output is ended where it has repeated itself for so many tokens; 0: only at its limit.
        whole_vocabulary: whether every step chooses among all words, although the model has a shortlist.
    """

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
    follows_source_length: bool = False
    max_loop: int = 0
    whole_vocabulary: bool = False
