"""What decoding makes of a request: tokens as they become certain, hypotheses, the result."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from regard.arrays import Array, Float32Array, Int64Array
from regard_service.engine.core.request import RequestState
from regard_service.engine.runtime.trace import Trace
from regard_service.errors import ServiceError
from regard_service.generation import FinishReason


@dataclass(frozen=True)
class CommittedToken:
    """A token that a stream may show: every live hypothesis has it at this position.

    Attributes:
        logprob: natural log.
        cross_attention: float32 [layers, heads, source]; None unless the request keeps attention.
    """

    id: int
    logprob: float
    cross_attention: Float32Array | None = None


@dataclass(frozen=True)
class EngineHypothesis:
    """One candidate output.

    Attributes:
        tokens: int64 [target]; ends with the end token where `finish_reason` is "end".
        logprobs: float32 [target], natural log.
        score: the sum of log-probabilities, divided by target ** length_penalty with beams.
        cross_attention: float32 [layers, heads, target, source]; None unless the request keeps attention.
        trace: of the finished output; the engine leaves it None, callers add it.
    """

    tokens: Int64Array
    logprobs: Float32Array
    score: float
    finish_reason: FinishReason
    cross_attention: Float32Array | None = None
    trace: Trace | None = None


@dataclass(frozen=True)
class EngineResult:
    """A finished request: hypotheses, best first, and where its time went.

    Attributes:
        outputs: of a model without a decoder, the request's part of the encode graph's outputs, by name; then there are
            no hypotheses.
        novelty: how unlike the export's examples the source is; None if the model does not compute it.
    """

    hypotheses: tuple[EngineHypothesis, ...]
    queue_s: float
    encode_s: float
    decode_s: float
    outputs: Mapping[str, Array] = field(default_factory=dict)
    novelty: float | None = None


@dataclass(frozen=True)
class RequestUpdate:
    """News of a request: tokens that are certain, its result, or the error that ends it."""

    request: RequestState
    news: list[CommittedToken] | EngineResult | ServiceError

    @property
    def is_last(self) -> bool:
        """Whether the request has ended."""
        return not isinstance(self.news, list)
