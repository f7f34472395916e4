"""All constraints of one request. Semantics: `transformers` logits processors.

To add one, write its class in a module beside this one and put it into `KINDS`.
"""

import numpy as np

from regard.arrays import Int64Array
from regard_service.engine.search.constraints.alternative import Alternative
from regard_service.engine.search.constraints.biased_start import BiasedStart
from regard_service.engine.search.constraints.candidates import Candidates
from regard_service.engine.search.constraints.constraint import Constraint, Vocabulary
from regard_service.engine.search.constraints.forced_start import ForcedStart
from regard_service.engine.search.constraints.min_length import MinLength
from regard_service.engine.search.constraints.no_repeat_ngram import NoRepeatNgram
from regard_service.engine.search.constraints.repetition_penalty import RepetitionPenalty
from regard_service.engine.search.constraints.suppressed import Suppressed
from regard_service.generation import Generation

KINDS = (  # in the order of `apply`
    BiasedStart,
    RepetitionPenalty,
    NoRepeatNgram,
    Suppressed,
    MinLength,
    Alternative,
    ForcedStart,
)

_NO_MODEL = Vocabulary(0, ())


def is_constrained(generation: Generation) -> bool:
    """Whether a request needs `Constraints`; most do not."""
    return any(kind.of(generation, _NO_MODEL) is not None for kind in KINDS)


class Constraints:
    """One request's constraints, and the tokens of its beams, from which they follow."""

    def __init__(self, generation: Generation, num_beams: int, vocabulary: Vocabulary) -> None:
        self._history = np.full((num_beams, 1), vocabulary.start_id, np.int64)  # [beams, 1 + tokens]
        made = (kind.of(generation, vocabulary) for kind in KINDS)
        self._constraints: list[Constraint] = [each for each in made if each is not None]
        self._follow()

    @property
    def is_active(self) -> bool:
        """Whether the constraints change the next step's candidates."""
        return any(reach.is_active for reach in self._reaches)

    @property
    def is_done(self) -> bool:
        """Whether no step will be constrained any more."""
        return all(reach.is_done for reach in self._reaches)

    def num_affected(self, vocab_size: int) -> int:
        """How many of a beam's candidates the next step may ban or penalize: the step must return that many more."""
        affected = [reach.num_affected for reach in self._reaches]
        return sum(vocab_size if each is None else each for each in affected)

    def apply(self, candidates: Candidates) -> Candidates:
        """The candidates with new scores."""
        for constraint, reach in zip(self._constraints, self._reaches, strict=True):
            if reach.is_active:
                candidates = constraint.apply(candidates)
        return candidates

    def extend(self, parents: Int64Array, tokens: Int64Array, num_taken_back: int = 0) -> None:
        """Takes over a step's choice.

        Args:
            parents, tokens: int64 [beams]; beam b continues beam `parents[b]` of this request.
            num_taken_back: tokens that every beam gives up before.
        """
        kept = self._history[:, : self._history.shape[1] - num_taken_back]
        self._history = np.concatenate([kept[parents], tokens[:, None]], axis=1)
        self._follow()

    def _follow(self) -> None:
        self._reaches = [constraint.follow(self._history) for constraint in self._constraints]
