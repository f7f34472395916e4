"""What a model made of one input: hypotheses, and how it read the source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from regard.errors.names import check_names
from regard.names import AttentionKind, FinishReason, Risk
from regard.v1 import regard_pb2 as pb
from regard.values.maps import AttentionMap, described, read_maps, whole_map
from regard.values.read_later import ReadLater
from regard.values.units import (
    Link,
    OutputWarning,
    RiskReason,
    Segment,
    Token,
    Word,
    WordConfidence,
    read_risk_reasons,
    read_segments,
    read_source_tokens,
    read_target_token,
    read_warnings,
    read_word_confidences,
    read_words,
)
from regard.wire import as_json, enums, from_json
from regard.wire.images import ImageLike

_MAX_SHOWN = 80  # characters of a text in a repr


@dataclass(frozen=True)
class Hypothesis(ReadLater):
    """One candidate output.

    Attributes:
        text: the output, detokenized.
        tokens: every generated token, special ones included: the target axis.
        words: the target axis if the call asks for words, otherwise empty.
        score: what hypotheses are ranked by.
        finish_reason: "end", or "length" if the output reached its limit.
        attention: the maps that the call asks for; of a text of several segments one for each, and `find_map` joins
            them.
        links, pharaoh: with the alignment, the pairs of units that belong together; a unit may have several, or none.
        entropy, coverage: with the alignment, one number for each target unit.
        source_coverage: with the alignment, the attention that each source unit received in sum.
        mean_logprob: the mean of the tokens' log-probabilities, whatever the search.
        word_confidences: if the call asks for confidence, the probability of each word that it is right.
        source_share: with contributions, the share of each token that comes from the source.
    """

    text: str
    tokens: tuple[Token, ...]
    words: tuple[Word, ...]
    score: float
    finish_reason: FinishReason
    attention: tuple[AttentionMap, ...]
    links: tuple[Link, ...]
    pharaoh: str
    entropy: tuple[float, ...]
    coverage: tuple[float, ...]
    source_coverage: tuple[float, ...]
    mean_logprob: float
    word_confidences: tuple[WordConfidence, ...]
    source_share: tuple[float, ...]
    message: pb.Hypothesis = field(repr=False, compare=False)

    _readers: ClassVar[Mapping[str, Callable[[pb.Hypothesis], Any]]] = {
        "text": lambda m: m.text,
        "tokens": lambda m: tuple(map(read_target_token, m.tokens)),
        "words": lambda m: read_words(m.words),
        "score": lambda m: m.score,
        "finish_reason": lambda m: enums.FINISH_REASON.name_if_known(m.finish_reason),
        "attention": lambda m: read_maps(m.attention),
        "links": lambda m: tuple(Link(link.source, link.target) for link in m.links),
        "pharaoh": lambda m: m.pharaoh,
        "entropy": lambda m: tuple(m.entropy),
        "coverage": lambda m: tuple(m.coverage),
        "source_coverage": lambda m: tuple(m.source_coverage),
        "mean_logprob": lambda m: m.mean_logprob,
        "word_confidences": lambda m: read_word_confidences(m.word_confidences),
        "source_share": lambda m: tuple(m.source_share),
    }

    def __repr__(self) -> str:
        return f"<Hypothesis {shortened(self.text)!r} score {self.score:.3f}{described(self.attention)}>"

    @property
    def alignment(self) -> AttentionMap | None:
        """The alignment, [target, source]; None if the call did not ask for it."""
        return self.find_map("alignment")

    def find_map(self, kind: AttentionKind) -> AttentionMap | None:
        """The map of that kind; None if the call did not ask for it.

        Those of several segments are joined to one: weights between different segments are 0.

        Raises:
            ValueError: there is no such kind.
        """
        check_names("kind of map", [kind], list(enums.ATTENTION_KIND.names), ValueError)
        return whole_map([each for each in self.attention if each.kind == kind])

    @classmethod
    def from_message(cls, message: pb.Hypothesis) -> "Hypothesis":
        """Reads a Hypothesis of the API."""
        return cls._of(message)


@dataclass(frozen=True)
class ImageGrid:
    """Where the source axis lies on a picture: rows x columns of equal rectangles in `box`.

    Attributes:
        first_position: index of the top left rectangle on the source axis.
        image_width, image_height: of the upright picture, in pixels.
        box: left, top, right and bottom of the part that the model saw, in the picture's pixels.
    """

    rows: int
    columns: int
    first_position: int
    image_width: int
    image_height: int
    box: tuple[float, float, float, float]

    @classmethod
    def from_message(cls, message: pb.ImageGrid) -> "ImageGrid":
        """Reads an ImageGrid of the API."""
        box = message.box
        return cls(
            rows=message.rows,
            columns=message.columns,
            first_position=message.first_position,
            image_width=message.image_width,
            image_height=message.image_height,
            box=(box.left, box.top, box.right, box.bottom),
        )


@dataclass(frozen=True)
class Timings:
    """Where an input's time went, in milliseconds."""

    queue_ms: float
    encode_ms: float
    decode_ms: float


@dataclass(frozen=True)
class Output(ReadLater):
    """What a model made of one input. Keeps the message that it was read from.

    Attributes:
        hypotheses: best first, at least one.
        source_tokens: the source as the model read it: the source axis. Empty for pictures.
        source_words: the source axis if the call asks for words, otherwise empty.
        source_attention: maps of the source alone.
        image_grid: for pictures, where the source axis lies on the picture.
        truncated, num_truncated_tokens: whether the end of the source was cut off, and how many tokens.
        num_parts: how many parts the source was split into.
        model, model_version: the model that ran.
        picture: of a caption, the picture that the call sent; None for texts and for results that were read from JSON.
        segments: for translations, which part of the source made which part of the best hypothesis' text.
        warnings: what may be wrong with the best hypothesis.
        detected_language, language_confidence: with source_language="auto", the text's language and how sure that is,
            in (0, 1]; "" and 0 if it is unknown.
        risk: whether to doubt the best hypothesis, "low" or "high"; "" if the model's export did not learn that.
        risk_reasons: why the risk is high.
        risk_score: the risk as a number, in [0, 1].
    """

    hypotheses: tuple[Hypothesis, ...]
    source_tokens: tuple[Token, ...]
    source_words: tuple[Word, ...]
    source_attention: tuple[AttentionMap, ...]
    image_grid: ImageGrid | None
    truncated: bool
    num_truncated_tokens: int
    num_parts: int
    model: str
    model_version: str
    timings: Timings
    segments: tuple[Segment, ...]
    warnings: tuple[OutputWarning, ...]
    detected_language: str
    language_confidence: float
    risk: Risk | Literal[""]
    risk_reasons: tuple[RiskReason, ...]
    risk_score: float
    message: pb.Result = field(repr=False, compare=False)
    picture: ImageLike | None = field(default=None, repr=False, compare=False)

    _readers: ClassVar[Mapping[str, Callable[[pb.Result], Any]]] = {
        "hypotheses": lambda m: tuple(map(Hypothesis.from_message, m.hypotheses)),
        "source_tokens": lambda m: read_source_tokens(m.source_tokens),
        "source_words": lambda m: read_words(m.source_words),
        "source_attention": lambda m: read_maps(m.source_attention),
        "image_grid": lambda m: ImageGrid.from_message(m.image_grid) if m.HasField("image_grid") else None,
        "truncated": lambda m: m.truncated,
        "num_truncated_tokens": lambda m: m.num_truncated_tokens,
        "num_parts": lambda m: m.num_parts,
        "model": lambda m: m.model,
        "model_version": lambda m: m.model_version,
        "timings": lambda m: Timings(m.timings.queue_ms, m.timings.encode_ms, m.timings.decode_ms),
        "segments": lambda m: read_segments(m.segments),
        "warnings": lambda m: read_warnings(m.warnings),
        "detected_language": lambda m: m.detected_language,
        "language_confidence": lambda m: m.language_confidence,
        "risk": lambda m: enums.RISK.name_if_known(m.risk),
        "risk_reasons": lambda m: read_risk_reasons(m.risk_reasons),
        "risk_score": lambda m: m.risk_score,
    }

    def __repr__(self) -> str:
        others = f" and {len(self.hypotheses) - 1} more" if len(self.hypotheses) > 1 else ""
        maps = described((*self.best.attention, *self.source_attention))
        return f"<{type(self).__name__} {shortened(self.text)!r}{others} by {self.model}@{self.model_version}{maps}>"

    @property
    def best(self) -> Hypothesis:
        """The best hypothesis."""
        return self.hypotheses[0]

    @property
    def text(self) -> str:
        """The best hypothesis' text."""
        return self.best.text

    def find_map(self, kind: AttentionKind, hypothesis: int = 0) -> AttentionMap | None:
        """A hypothesis' map of that kind, or the source's; None if the call did not ask for it."""
        of_source = [each for each in self.source_attention if each.kind == kind]
        return self.hypotheses[hypothesis].find_map(kind) or whole_map(of_source)

    @property
    def alignment(self) -> AttentionMap | None:
        """The best hypothesis' alignment, [target, source]; None if the call did not ask for it."""
        return self.best.alignment

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object: the proto's field names, maps as nested lists."""
        return as_json.to_dict(self.message)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return as_json.to_json(self.message)

    @classmethod
    def from_json(cls, saved: str | bytes | dict[str, Any]) -> Self:
        """Reads a result that `to_json`, `regard ... --json` or the server's JSON API wrote.

        Raises:
            BadResponse: the JSON is not a result.
        """
        return cls.from_message(from_json.read_result(saved))

    @classmethod
    def from_message(cls, message: pb.Result, picture: ImageLike | None = None) -> Self:
        """Reads a Result of the API; `picture` is the one that was captioned."""
        return cls._of(message, picture=picture)


def shortened(text: str) -> str:
    """The beginning of a text, for a repr."""
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"
