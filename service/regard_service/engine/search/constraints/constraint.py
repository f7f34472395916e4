"""The interface of a constraint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from regard.arrays import Int64Array
from regard_service.engine.search.constraints.candidates import Candidates


@dataclass(frozen=True)
class Vocabulary:
    """A model's target vocabulary. Attributes: start_id: the token before the first; end_ids: those that end."""

    start_id: int
    end_ids: Sequence[int]


class Reach(NamedTuple):
    """What a constraint does at the next step.

    Attributes:
        num_affected: how many of a beam's candidates it may ban or penalize: the step must return that many more.
            None: any number, up to the whole vocabulary.
        is_active: whether it changes candidates at all.
        is_done: whether it never will again, whatever tokens follow.
    """

    num_affected: int | None = 0
    is_active: bool = True
    is_done: bool = False


IDLE, DONE = Reach(is_active=False), Reach(is_active=False, is_done=True)


class Constraint(Protocol):
    """One rule about the next token.

    The step graph returns only the best candidates, so a constraint says beforehand how many of them it may touch.
    """

    def follow(self, history: Int64Array) -> Reach:
        """Takes over the tokens of all beams: int64 [beams, 1 + tokens], the start token first."""

    def apply(self, candidates: Candidates) -> Candidates:
        """The candidates of the next step with new scores. Called only while the reach is active."""
