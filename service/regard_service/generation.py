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
        prefix: tokens that the output begins with, behind the model's own first token.
        start_bias: draws the output to the prefix with this probability, in place of forcing it; 0 forces it.
        alternative: which of the candidates follows the prefix, 0 the best; None: whichever the search takes.
        suppressed: sequences of tokens that the output does not contain.
        terms: translations that the output contains, each once, where the words that they translate are attended to.
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
    prefix: tuple[int, ...] = ()
    start_bias: float = 0.0
    alternative: int | None = None
    suppressed: tuple[tuple[int, ...], ...] = ()
    terms: "Terms | None" = None

    @property
    def forced_start(self) -> tuple[int, ...]:
        """The tokens that the output must begin with."""
        first = () if self.forced_first_id is None else (self.forced_first_id,)
        return first if self.start_bias else first + self.prefix

    @property
    def biased_start(self) -> tuple[int, ...]:
        """The tokens behind `forced_start` that the output is drawn to."""
        return self.prefix if self.start_bias else ()

    @property
    def forced_words(self) -> tuple[int, ...]:
        """The tokens that a prefix or terms may write, whatever the model's shortlist allows."""
        terms = () if self.terms is None else self.terms.terms
        return self.prefix + tuple(token for t in terms for token in (*t.tokens, *t.glued, *t.initial))


ONE_STEP = Generation(max_new_tokens=1)
"""Of requests to a model without a decoder, which generates nothing."""


@dataclass(frozen=True)
class Term:
    """One occurrence of a term in a source, and what must stand for it in the output.

    Attributes:
        positions: of the source's tokens that are the term's.
        tokens: what to write within a text: usually the first begins a word.
        glued: what to write after an opening mark, such as a bracket.
        initial: what to write at the beginning of the output.
    """

    positions: tuple[int, ...]
    tokens: tuple[int, ...]
    glued: tuple[int, ...]
    initial: tuple[int, ...]

    @property
    def num_tokens(self) -> int:
        """The most tokens that it takes."""
        return max(len(self.tokens), len(self.glued), len(self.initial))


@dataclass(frozen=True, eq=False)
class Spelling:
    """What the tokens of a target vocabulary are in a text; one byte a token, 0 or 1.

    Attributes:
        continues: it is more of a word that another token began.
        opens: what follows is written without a space, as after a bracket.
        closes: it ends a sentence.
        unfinished: its word goes on with the next token, whichever that is; empty where no token is.
    """

    continues: bytes
    opens: bytes
    closes: bytes
    unfinished: bytes = b""


@dataclass(frozen=True)
class Terms:
    """The terms of one source; no position belongs to two of them.

    Attributes:
        special: positions of the source that are the model's own, such as its end.
        keeps_words: whether a term is a whole word, or several: nothing continues its last one.
    """

    terms: tuple[Term, ...]
    special: tuple[int, ...]
    spelling: Spelling
    keeps_words: bool = True

    @property
    def num_tokens(self) -> int:
        """The most tokens that all terms take."""
        return sum(term.num_tokens for term in self.terms)
