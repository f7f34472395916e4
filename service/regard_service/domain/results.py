"""What a caller receives: results, and the events of a stream.

Types of which a result holds dozens are named tuples: one is built in a third of the time that a data class takes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from regard import names
from regard.arrays import Float32Array
from regard_service.domain.calls import AlignmentMethod, AttentionKind, Granularity
from regard_service.generation import FinishReason

Risk = names.Risk
RiskKind = names.RiskKind
WarningReason = names.WarningReason


class Span(NamedTuple):
    """A half-open range [start, end) of Unicode code points or of tokens."""

    start: int
    end: int


class Token(NamedTuple):
    """One piece of a text.

    Attributes:
        id: the vocabulary's id.
        piece: the vocabulary's spelling.
        span: the token's place in the text, in Unicode code points; None for special tokens.
        is_special: the token belongs to the model (end of sentence, a language), not to the text.
        logprob: natural log; 0 for source tokens.
        copied_from: index of the source token that a copied token repeats.
    """

    id: int
    piece: str
    span: Span | None
    is_special: bool = False
    logprob: float = 0.0
    copied_from: int | None = None


@dataclass(frozen=True)
class Word:
    """Consecutive tokens that a reader sees as one word, or a special token by itself."""

    text: str
    span: Span | None
    tokens: Span
    is_special: bool = False


@dataclass(frozen=True)
class AttentionMap:
    """One map of a hypothesis, or of the source.

    Attributes:
        values: float32; [layers, heads, target, source] for "cross", [target, source] for "alignment" and "rollout",
            [layers, heads, n, n] for self-attention, [layers, channels] for "channel", [layers, source] for "spatial".
        layers, heads: the indexes along the first two axes; for an alignment, those averaged.
        granularity: whether the last two axes are tokens or words of the result.
        method: the method of an alignment; None for other kinds.
        segment: index of the segment that the map belongs to.
        source_offset, target_offset: positions of the map's first units among the whole text's.
    """

    kind: AttentionKind
    values: Float32Array
    layers: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    granularity: Granularity = "token"
    method: AlignmentMethod | None = None
    segment: int = 0
    source_offset: int = 0
    target_offset: int = 0


class Link(NamedTuple):
    """A hard link of the alignment: Pharaoh's `source-target`."""

    source: int
    target: int


class WordConfidence(NamedTuple):
    """A word of an output, by its place in the text, and the calibrated probability that it is right."""

    span: Span
    probability: float


@dataclass(frozen=True)
class Hypothesis:
    """One candidate output, with its maps.

    Attributes:
        word_confidences: in calls that ask for confidence.
        source_share: of each token, the part that comes from the source rather than from the tokens before it, in calls
            that ask for confidence or for contributions, of models that have them.
        words: the tokens grouped to words, in calls with maps between words.
        links, entropy, coverage, source_coverage: measures of the alignment, in calls with one; see the .proto.
    """

    text: str
    tokens: tuple[Token, ...]
    score: float
    finish_reason: FinishReason
    words: tuple[Word, ...] = ()
    maps: tuple[AttentionMap, ...] = ()
    links: tuple[Link, ...] = ()
    entropy: tuple[float, ...] = ()
    coverage: tuple[float, ...] = ()
    source_coverage: tuple[float, ...] = ()
    word_confidences: tuple[WordConfidence, ...] = ()
    source_share: tuple[float, ...] = ()

    @property
    def mean_logprob(self) -> float:
        """The mean of the tokens' log-probabilities, which depends on no search; 0 without tokens."""
        return mean_logprob(self.tokens)


def mean_logprob(tokens: Sequence[Token]) -> float:
    """Returns the mean of tokens' log-probabilities; 0 without tokens."""
    return sum([token.logprob for token in tokens]) / len(tokens) if tokens else 0.0


@dataclass(frozen=True)
class ImageGrid:
    """The place of the source axis on an upright picture.

    Attributes:
        box: left, top, right and bottom of the part that the model reads, in the picture's pixels.
        first_position: the grid's first position on the source axis; the positions before it are no part of the
            picture.
    """

    rows: int
    columns: int
    image_width: int
    image_height: int
    box: tuple[float, float, float, float]
    first_position: int = 0


@dataclass(frozen=True)
class Timings:
    """The time that a request spent in each phase, in milliseconds."""

    queue_ms: float
    encode_ms: float
    decode_ms: float


@dataclass(frozen=True)
class Source:
    """An input as the model read it.

    Attributes:
        words: the tokens grouped to words, in calls with maps between words.
        num_truncated_tokens: tokens that truncation removed.
        image_grid: set for pictures, which have no tokens.
    """

    tokens: tuple[Token, ...] = ()
    words: tuple[Word, ...] = ()
    num_truncated_tokens: int = 0
    image_grid: ImageGrid | None = None


class Segment(NamedTuple):
    """A part of a text that was translated by itself, or copied.

    Attributes:
        source, target: its places in the source and in the best hypothesis' text.
        source_tokens, target_tokens: ranges of tokens; empty for a copied segment.
        novelty: how unlike the export's examples its source is; None if the model does not compute it.
    """

    source: Span
    target: Span
    source_tokens: Span
    target_tokens: Span
    is_copied: bool = False
    novelty: float | None = None


class OutputWarning(NamedTuple):
    """Something that may be wrong with an output. Args: segment: None if it concerns the whole text."""

    reason: WarningReason
    message: str
    segment: int | None = None


class RiskReason(NamedTuple):
    """Why an output's risk is high. Args: segment: None if it concerns the whole text."""

    kind: RiskKind
    message: str
    segment: int | None = None


@dataclass(frozen=True)
class Result:
    """The result of one input; hypotheses are best first. `maps` holds the maps of the source alone.

    Attributes:
        risk: of the best hypothesis; None where nobody learned what is usual.
        risk_score: the highest of its segments', in [0, 1]; 0 where `risk` was not learned.
        novelty: of an input without segments: how unlike the export's examples it is; None if the model does not
            compute it.
        detected_language, language_confidence: of a text whose language nobody named; "" and 0 if it is unknown.
    """

    hypotheses: tuple[Hypothesis, ...]
    source: Source
    timings: Timings
    model: str
    version: str
    num_parts: int = 1
    maps: tuple[AttentionMap, ...] = ()
    segments: tuple[Segment, ...] = ()
    warnings: tuple[OutputWarning, ...] = ()
    detected_language: str = ""
    language_confidence: float = 0.0
    risk: Risk | None = None
    risk_score: float = 0.0
    risk_reasons: tuple[RiskReason, ...] = ()
    novelty: float | None = None

    def all_maps(self) -> Iterator[AttentionMap]:
        """Yields the maps of the source and of every hypothesis."""
        yield from self.maps
        for hypothesis in self.hypotheses:
            yield from hypothesis.maps


@dataclass(frozen=True)
class Started:
    """The first event of a stream."""

    source: Source
    model: str
    version: str


@dataclass(frozen=True)
class TokenEvent:
    """One token, which later tokens do not change; `text_delta` is empty while a character is incomplete."""

    index: int
    token: Token
    text_delta: str
    maps: tuple[AttentionMap, ...] = ()


StreamEvent = Started | TokenEvent | Result
