"""What enters and leaves the engine: one caller's input, and what decoding made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regard.arrays import Float32Array, Int64Array
from regard_service.generation import FinishReason, Generation

if TYPE_CHECKING:
    from regard_service.engine.core.ticket import Ticket


@dataclass(frozen=True)
class EngineRequest:
    """One input for one model.

    Attributes:
        source: int64 [source] token ids; for models that copy, int64 [2, source], the ids and below them the
            words (`source_words` of docs/bundle.md); or float32 [3, height, width] pixels.
        attention: whether cross-attention is kept; it costs nothing when False.
        deadline: `time.monotonic()` after which nobody waits for the result; None means never.
        bulk: waits behind interactive requests.
        watch: is given the request's ticket when it is submitted; for traces.
        caller: whose it is; callers take turns.
    """

    source: Int64Array | Float32Array
    generation: Generation
    attention: bool = False
    deadline: float | None = None
    bulk: bool = False
    watch: "Callable[[Ticket], None] | None" = None
    caller: str = ""


@dataclass(frozen=True)
class Trace:
    """All attention of one pass over a source and a target; the norms are those of the transformed values.

    Attributes:
        encoder_self: float32 [layers, heads, source, source].
        decoder_self: float32 [layers, heads, target, target]; row t is the step that made token t, column 0 the
            decoder's start, column t token t - 1.
        cross: float32 [layers, heads, target, source].
        encoder_norms, cross_norms: float32 [layers, heads, source].
        decoder_norms: float32 [layers, heads, target].
    """

    encoder_self: Float32Array
    decoder_self: Float32Array
    cross: Float32Array
    encoder_norms: Float32Array
    decoder_norms: Float32Array
    cross_norms: Float32Array


@dataclass(frozen=True)
class EngineHypothesis:
    """One candidate output.

    Attributes:
        tokens: int64 [target]; ends with the end token where `finish_reason` is "end".
        logprobs: float32 [target], natural log.
        score: the sum of log-probabilities, divided by target ** length_penalty with beams.
        cross_attention: float32 [layers, heads, target, source]; None unless asked for.
        trace: of the finished output; None unless somebody added it.
    """

    tokens: Int64Array
    logprobs: Float32Array
    score: float
    finish_reason: FinishReason
    cross_attention: Float32Array | None = None
    trace: Trace | None = None


@dataclass(frozen=True)
class EngineResult:
    """A finished request: hypotheses, best first, and where its time went."""

    hypotheses: tuple[EngineHypothesis, ...]
    queue_s: float
    encode_s: float
    decode_s: float


@dataclass(frozen=True)
class CommittedToken:
    """A token that a stream may show: every live hypothesis has it at this position.

    Attributes:
        cross_attention: float32 [layers, heads, source]; None unless asked for.
    """

    id: int
    logprob: float
    cross_attention: Float32Array | None = None
