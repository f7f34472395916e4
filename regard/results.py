"""What comes back from a call, as typed objects. Each keeps the message it was read from, and writes itself as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Unpack, cast

from regard import as_json, encoding, from_json
from regard.arrays import Float32Array
from regard.errors import BadResponse
from regard.v1 import regard_pb2 as pb

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from regard.plots import PlotOptions, Style, ThemeName
    from regard.requests import ImageLike

AttentionKind = Literal["cross", "alignment", "encoder_self", "decoder_self", "rollout"]
Granularity = Literal["token", "word"]
FinishReason = Literal["end", "length"]
Task = Literal["translation", "summarization", "captioning"]
ModelState = Literal["unloaded", "loading", "ready", "draining", "failed"]


@dataclass(frozen=True)
class Span:
    """Half-open range [start, end): of a text's characters (Python's string indexes), or of tokens."""

    start: int
    end: int


@dataclass(frozen=True)
class Link:
    """A hard alignment of two units, tokens or words, by their indexes."""

    source: int
    target: int


@dataclass(frozen=True)
class Token:
    """A token of the source or of the output.

    Attributes:
        id: its number in the model's vocabulary.
        piece: its entry there, with the tokenizer's own marks.
        span: the part of the text it stands for; None for special tokens.
        special: whether it is the model's own (end of sentence, a language) and not the text's.
        logprob: natural logarithm of its probability; None for source tokens.
        copied: whether it was copied from the source.
        copied_from: index of the source token it was copied from.
    """

    id: int
    piece: str
    span: Span | None
    special: bool
    logprob: float | None = None
    copied: bool = False
    copied_from: int | None = None


@dataclass(frozen=True)
class Word:
    """A word, or a special token that stands for itself.

    Attributes:
        text: as it stands in the text; a special token's piece.
        span: where it stands; None for special tokens.
        tokens: which tokens it is made of.
        special: whether it is the model's own and not the text's.
    """

    text: str
    span: Span | None
    tokens: Span
    special: bool


@dataclass(frozen=True)
class AttentionMap:
    """An attention map.

    Attributes:
        kind: what it shows, which fixes its axes: [target, source] for "alignment" and "rollout",
            [layers, heads, target, source] for "cross", [layers, heads, n, n] for self-attention.
        shape: the length of each axis.
        layers, heads: what the first two axes stand for; for an alignment, what was averaged.
        granularity: whether the last two axes count tokens or words.
        top_k: how many weights of each row were sent, the others being 0 here; 0 if all were.
        alignment_method: "plain" or "shifted" for the alignment, otherwise "".
        weighting: "attention" or "value_norm".
    """

    kind: AttentionKind
    shape: tuple[int, ...]
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    granularity: Granularity
    top_k: int
    alignment_method: str
    weighting: str
    message: pb.AttentionMap = field(repr=False, compare=False)

    @cached_property
    def values(self) -> Float32Array:
        """The weights: float32 of this map's shape, read-only, decoded once."""
        return encoding.decode(self.message)

    def to_dict(self) -> dict[str, Any]:
        """The map as JSON has it, its weights as nested lists."""
        return as_json.to_dict(self.message)

    @classmethod
    def from_message(cls, message: pb.AttentionMap) -> "AttentionMap":
        return cls(
            kind=cast(AttentionKind, _name(pb.AttentionKind, message.kind)),
            shape=tuple(message.shape),
            layers=tuple(message.layers),
            heads=tuple(message.heads),
            granularity=cast(Granularity, _name(pb.Granularity, message.granularity)),
            top_k=message.top_k,
            alignment_method=_name(pb.AlignmentMethod, message.alignment_method),
            weighting=_name(pb.Weighting, message.weighting),
            message=message,
        )


@dataclass(frozen=True)
class Hypothesis:
    """One candidate output.

    Attributes:
        text: the output as a person reads it.
        tokens: every token that was made, special ones included: the target axis.
        words: the target axis where words were asked for, otherwise empty.
        score: what hypotheses are ranked by.
        finish_reason: "end", or "length" if it reached the limit.
        attention: the maps asked for.
        links, pharaoh: with the alignment, the strongest source unit of each target unit.
        entropy, coverage: with the alignment, one number a target unit.
        source_coverage: with the alignment, how much attention each source unit got.
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
    message: pb.Hypothesis = field(repr=False, compare=False)

    @property
    def alignment(self) -> AttentionMap | None:
        """The alignment, [target, source]; None if it was not asked for."""
        return self.find_map("alignment")

    def find_map(self, kind: AttentionKind) -> AttentionMap | None:
        """The map of that kind; None if it was not asked for."""
        return next((each for each in self.attention if each.kind == kind), None)

    @classmethod
    def from_message(cls, message: pb.Hypothesis) -> "Hypothesis":
        return cls(
            text=message.text,
            tokens=tuple(_target_token(token) for token in message.tokens),
            words=_words(message.words),
            score=message.score,
            finish_reason=cast(FinishReason, _name(pb.FinishReason, message.finish_reason)),
            attention=_maps(message.attention),
            links=tuple(Link(link.source, link.target) for link in message.links),
            pharaoh=message.pharaoh,
            entropy=tuple(message.entropy),
            coverage=tuple(message.coverage),
            source_coverage=tuple(message.source_coverage),
            message=message,
        )


@dataclass(frozen=True)
class ImageGrid:
    """Where the source axis lies on a picture: rows x columns of equal rectangles in `box`.

    Attributes:
        first_position: where the top left rectangle is on the source axis.
        image_width, image_height: of the picture as a person sees it, in pixels.
        box: left, top, right and bottom of what the model saw, in that picture's pixels.
    """

    rows: int
    columns: int
    first_position: int
    image_width: int
    image_height: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Timings:
    """Where an input's time went, in milliseconds."""

    queue_ms: float
    encode_ms: float
    decode_ms: float


@dataclass(frozen=True)
class Result:
    """What came of one input.

    Attributes:
        hypotheses: best first, at least one.
        source_tokens: the source as the model read it: the source axis. Empty for pictures.
        source_words: the source axis where words were asked for, otherwise empty.
        source_attention: maps of the source alone.
        image_grid: for pictures, where the source axis lies.
        truncated, num_truncated_tokens: whether the end of the source was dropped, and how much.
        num_parts: into how many parts the source was split.
        model, model_version: who answered.
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
    message: pb.Result = field(repr=False, compare=False)

    @property
    def best(self) -> Hypothesis:
        """The best hypothesis."""
        return self.hypotheses[0]

    @property
    def text(self) -> str:
        """The best hypothesis' text."""
        return self.best.text

    @property
    def alignment(self) -> AttentionMap | None:
        """The best hypothesis' alignment, [target, source]; None if it was not asked for."""
        return self.best.alignment

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON has it: the proto's field names, maps as nested lists."""
        return as_json.to_dict(self.message)

    def to_json(self) -> str:
        """The result as one line of JSON."""
        return as_json.to_json(self.message)

    @classmethod
    def from_json(cls, saved: str | bytes | dict[str, Any]) -> "Result":
        """The result in what `to_json`, `regard ... --json` or the server's JSON API wrote.

        Raises:
            BadResponse: it is not a result.
        """
        return cls.from_message(from_json.read_result(saved))

    def plot(self, style: "Style | None" = None, **options: "Unpack[PlotOptions]") -> "Figure":
        """Draws a map as a matplotlib figure; see `regard.plots.plot_result`. Needs the extra 'plot'."""
        from regard.plots import plot_result

        return plot_result(self, style, **options)

    def save_plot(
        self, path: str | PathLike[str], *, picture: "ImageLike | None" = None, theme: "ThemeName" = "light"
    ) -> None:
        """Writes a map as a PNG, SVG or PDF, or as an animated GIF or WebP, by the file's ending.

        Needs the extra 'plot'. A caption is drawn over `picture`, which results do not carry.
        """
        from regard.plots import save_plot

        save_plot(self, path, picture=picture, theme=theme)

    def save_html(
        self,
        path: str | PathLike[str],
        *,
        picture: "ImageLike | None" = None,
        title: str | None = None,
        theme: "ThemeName | None" = None,
    ) -> None:
        """Writes one HTML file that shows the maps interactively and needs nothing else; see `regard.html`."""
        from regard.html import save

        save(self, path, picture=picture, title=title, theme=theme)

    def _repr_html_(self) -> str:
        """What a notebook shows: the interactive view, in a frame."""
        from regard.html import frame

        return frame(self)

    @classmethod
    def from_message(cls, message: pb.Result) -> "Result":
        times = message.timings
        return cls(
            hypotheses=tuple(Hypothesis.from_message(each) for each in message.hypotheses),
            source_tokens=_source_tokens(message.source_tokens),
            source_words=_words(message.source_words),
            source_attention=_maps(message.source_attention),
            image_grid=_image_grid(message.image_grid) if message.HasField("image_grid") else None,
            truncated=message.truncated,
            num_truncated_tokens=message.num_truncated_tokens,
            num_parts=message.num_parts,
            model=message.model,
            model_version=message.model_version,
            timings=Timings(times.queue_ms, times.encode_ms, times.decode_ms),
            message=message,
        )


@dataclass(frozen=True)
class Started:
    """First event of a stream: the source has been read."""

    model: str
    model_version: str
    source_tokens: tuple[Token, ...]
    source_words: tuple[Word, ...]
    image_grid: ImageGrid | None
    truncated: bool
    num_truncated_tokens: int
    message: pb.StartedEvent = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON has it: {"started": ...}."""
        return {"started": as_json.to_dict(self.message)}

    @classmethod
    def from_message(cls, message: pb.StartedEvent) -> "Started":
        return cls(
            model=message.model,
            model_version=message.model_version,
            source_tokens=_source_tokens(message.source_tokens),
            source_words=_words(message.source_words),
            image_grid=_image_grid(message.image_grid) if message.HasField("image_grid") else None,
            truncated=message.truncated,
            num_truncated_tokens=message.num_truncated_tokens,
            message=message,
        )


@dataclass(frozen=True)
class TokenMade:
    """One more token of the output is certain.

    Attributes:
        index: which one, from 0.
        token: the token.
        text_delta: text that became certain with it; all of them joined are the finished text.
        attention: the token's row of the maps asked for.
    """

    index: int
    token: Token
    text_delta: str
    attention: tuple[AttentionMap, ...]
    message: pb.TokenEvent = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON has it: {"token": ...}."""
        return {"token": as_json.to_dict(self.message)}

    @classmethod
    def from_message(cls, message: pb.TokenEvent) -> "TokenMade":
        token = _target_token(message.token)
        return cls(message.index, token, message.text_delta, _maps(message.attention), message)


@dataclass(frozen=True)
class Finished:
    """Last event of a stream: the whole result, as the unary call gives it."""

    result: Result

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON has it: {"finished": {"result": ...}}."""
        return {"finished": {"result": self.result.to_dict()}}


Event = Started | TokenMade | Finished
StreamResponse = pb.StreamTranslateResponse | pb.StreamSummarizeResponse | pb.StreamCaptionResponse


def read_results(messages: Sequence[pb.Result], alone: bool) -> "Result | list[Result]":
    """The results of a call; without the list if there was one input by itself."""
    results = [Result.from_message(message) for message in messages]
    if alone and len(results) != 1:
        raise BadResponse(f"the server answered {len(results)} results to one input")
    return results[0] if alone else results


def read_event(message: StreamResponse) -> Event | None:
    """The event of a stream's message; None for one that this client does not know."""
    match message.WhichOneof("event"):
        case "started":
            return Started.from_message(message.started)
        case "token":
            return TokenMade.from_message(message.token)
        case "finished":
            return Finished(Result.from_message(message.finished.result))
    return None


@dataclass(frozen=True)
class Model:
    """A model that the server has; `message` says everything, `to_dict` writes it."""

    name: str
    version: str
    task: Task
    family: str
    is_default: bool
    state: ModelState
    state_reasons: tuple[str, ...]
    source_languages: tuple[str, ...]
    target_languages: tuple[str, ...]
    styles: tuple[str, ...]
    provider: str
    precision: str
    attention_kinds: tuple[AttentionKind, ...]
    message: pb.Model = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON has it: the proto's field names."""
        return as_json.to_dict(self.message)

    @classmethod
    def from_message(cls, message: pb.Model) -> "Model":
        kinds = (_name(pb.AttentionKind, layout.kind) for layout in message.attention_kinds)
        return cls(
            name=message.name,
            version=message.version,
            task=cast(Task, _name(pb.Task, message.task)),
            family=message.family,
            is_default=message.is_default,
            state=cast(ModelState, _name(pb.ModelState, message.state)),
            state_reasons=tuple(message.state_reasons),
            source_languages=tuple(message.source_languages),
            target_languages=tuple(message.target_languages),
            styles=tuple(message.styles),
            provider=message.provider,
            precision=message.precision,
            attention_kinds=cast(tuple[AttentionKind, ...], tuple(kinds)),
            message=message,
        )


def _name(enum: Any, number: int) -> str:
    """An enum's value in short: "alignment" for ATTENTION_KIND_ALIGNMENT; "" for unspecified, and for unknown ones."""
    if number == 0 or number not in enum.values():
        return ""
    prefix = str(enum.Name(0)).removesuffix("UNSPECIFIED")
    return str(enum.Name(number)).removeprefix(prefix).lower()


def _span(message: pb.Span) -> Span:
    return Span(message.start, message.end)


def _source_tokens(messages: Sequence[pb.SourceToken]) -> tuple[Token, ...]:
    return tuple(Token(m.id, m.piece, _span(m.span) if m.HasField("span") else None, m.special) for m in messages)


def _target_token(message: pb.TargetToken) -> Token:
    return Token(
        id=message.id,
        piece=message.piece,
        span=_span(message.span) if message.HasField("span") else None,
        special=message.special,
        logprob=message.logprob,
        copied=message.copied,
        copied_from=message.copied_from if message.HasField("copied_from") else None,
    )


def _words(messages: Sequence[pb.Word]) -> tuple[Word, ...]:
    return tuple(
        Word(m.text, _span(m.span) if m.HasField("span") else None, _span(m.tokens), m.special) for m in messages
    )


def _maps(messages: Sequence[pb.AttentionMap]) -> tuple[AttentionMap, ...]:
    return tuple(AttentionMap.from_message(message) for message in messages)


def _image_grid(message: pb.ImageGrid) -> ImageGrid:
    box = message.box
    return ImageGrid(
        rows=message.rows,
        columns=message.columns,
        first_position=message.first_position,
        image_width=message.image_width,
        image_height=message.image_height,
        box=(box.left, box.top, box.right, box.bottom),
    )
