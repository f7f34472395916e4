"""What a search returns: the decision of a step, a finished hypothesis, a prefix."""

from dataclasses import dataclass
from typing import NamedTuple

from regard.arrays import BoolArray, Float32Array, Int64Array
from regard_service.generation import FinishReason


@dataclass(frozen=True)
class Advance:
    """What one step decided.

    Attributes:
        tokens: int64 [slots], what each slot reads next.
        parents: int64 [slots], the slot whose state each slot continues. A beam's best child stays in its parent's
            slot, and beams whose states are equal anyway (a request's first step) stay where they are, so that few
            states move.
        moved: whether any slot continues another one's state.
        finished: bool [num_live]; such a row must leave the batch before the next step.
        taken_back: int64 [slots], tokens that each slot gives up before it reads its token; the state goes back as
            many steps. None: no slot gives up any.
    """

    tokens: Int64Array
    parents: Int64Array
    moved: bool
    finished: BoolArray
    taken_back: Int64Array | None = None


@dataclass(frozen=True)
class Taken:
    """The result of several steps that needed no decision.

    Attributes:
        num_steps: int64 [num_live], steps that each row made up to its end.
        finished: bool [num_live]; as in `Advance`.
    """

    num_steps: Int64Array
    finished: BoolArray


class Prefix(NamedTuple):
    """Consecutive tokens of a hypothesis, which need not be finished.

    Attributes:
        tokens: int64 [tokens].
        logprobs: float32 [tokens], the model's own log-probabilities, whatever penalties apply; 0 for a forced token.
        path: int64 [tokens]; token t was chosen from what beam `path[t]` of the request saw at step t, so its
            attention is the map recorded for that beam at that step.
    """

    tokens: Int64Array
    logprobs: Float32Array
    path: Int64Array


@dataclass(frozen=True)
class Hypothesis:
    """One finished output.

    Attributes:
        tokens, logprobs, path: as in `Prefix`, each [target]; the end token is among them if `finish_reason` is "end".
        score: with beams the sum of penalized log-probabilities / target ** length_penalty, else the sum of `logprobs`.
    """

    tokens: Int64Array
    logprobs: Float32Array
    path: Int64Array
    score: float
    finish_reason: FinishReason
