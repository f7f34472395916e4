"""What the policy decides: named objects that the driver carries out."""

from collections.abc import Sequence
from dataclasses import dataclass

from regard_service.engine.core.request import RequestState
from regard_service.engine.policy.lane import BatchState, Lane


@dataclass(frozen=True, eq=False)
class StepBatch:
    """Encode `admitted`, let them and all arrived requests join the batch, and step it.

    Attributes:
        since: clock time of the decision.
    """

    lane: Lane
    batch: BatchState
    admitted: Sequence[RequestState]
    since: float


@dataclass(frozen=True, eq=False)
class EncodeAhead:
    """Encode `admitted` for a batch that another worker steps; they join before its next step."""

    lane: Lane
    batch: BatchState
    admitted: Sequence[RequestState]
    since: float


@dataclass(frozen=True, eq=False)
class OpenBatch:
    """Allocate the buffers of one more batch of the lane, then ask again."""

    lane: Lane


Work = StepBatch | EncodeAhead


@dataclass(frozen=True)
class Decision:
    """One worker's next work, and the requests that leave the queue without any.

    Attributes:
        work: None if there is nothing to do.
        expired: requests whose caller has left, or whose deadline has passed or cannot be met, with their lanes.
    """

    work: Work | OpenBatch | None
    expired: Sequence[tuple[Lane, RequestState]] = ()
