"""A call in the domain's words, free of protobuf: what `convert` reads from the wire and writes back to it.

What an answer holds by the dozen is a named tuple, which takes a third of a data class' time to make.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from regard.arrays import Float32Array
from regard.wire import enums
from regard_service.bundle import Manifest, Precision, Provider
from regard_service.generation import EarlyStopping, FinishReason

AttentionKind = enums.AttentionKind
AlignmentMethod = enums.AlignmentMethod
Granularity = enums.Granularity
MapEncoding = enums.MapEncoding
ModelState = enums.ModelState
Truncation = Literal["reject", "truncate", "split"]


@dataclass(frozen=True)
class GenerationOptions:
    """What the caller set; None means the model's default."""

    num_beams: int | None = None
    max_new_tokens: int | None = None
    min_new_tokens: int | None = None
    length_penalty: float | None = None
    early_stopping: EarlyStopping | None = None
    num_return_sequences: int | None = None
    no_repeat_ngram_size: int | None = None
    repetition_penalty: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class AttentionOptions:
    """Which maps the caller wants; no kinds, no maps.

    Attributes:
        layers, heads: indexes; empty means all (for the alignment: the manifest's default heads).
        method: which step a target token is aligned at; None is the model's default.
        encoding, top_k: how the wire carries the numbers; None sends every weight.
        value_norms: weigh by the norms of the values (Kobayashi et al. 2020).
    """

    kinds: tuple[AttentionKind, ...] = ()
    layers: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    granularity: Granularity = "token"
    method: AlignmentMethod | None = None
    encoding: MapEncoding = "float32"
    top_k: int | None = None
    value_norms: bool = False


@dataclass(frozen=True)
class Call:
    """What every call has. `model` "" means the default; `deadline` is `time.monotonic()`, None means never."""

    model: str = ""
    generation: GenerationOptions = field(default_factory=GenerationOptions)
    attention: AttentionOptions = field(default_factory=AttentionOptions)
    bulk: bool = False
    deadline: float | None = None


@dataclass(frozen=True)
class TranslateCall(Call):
    """Texts to translate; a language "" means the model's only one."""

    texts: tuple[str, ...] = ()
    source_language: str = ""
    target_language: str = ""
    truncation: Truncation | None = None


@dataclass(frozen=True)
class SummarizeCall(Call):
    """Texts to summarize; style "" means the model's default."""

    texts: tuple[str, ...] = ()
    style: str = ""
    truncation: Truncation | None = None


@dataclass(frozen=True)
class CaptionCall(Call):
    """Pictures to describe, each a whole JPEG, PNG or WebP file."""

    images: tuple[bytes, ...] = ()


class Span(NamedTuple):
    """Half-open range [start, end) of Unicode code points or of tokens."""

    start: int
    end: int


class Token(NamedTuple):
    """One piece of a text.

    Attributes:
        id: in the vocabulary.
        piece: as the vocabulary has it.
        span: in the text, in Unicode code points; None for special tokens.
        special: the model's own (end of sentence, a language), not the text's.
        logprob: natural log; 0 for source tokens.
        copied_from: index of the source token that a copied token repeats.
    """

    id: int
    piece: str
    span: Span | None
    special: bool = False
    logprob: float = 0.0
    copied_from: int | None = None


@dataclass(frozen=True)
class Word:
    """Consecutive tokens that a reader sees as one word, or a special token by itself."""

    text: str
    span: Span | None
    tokens: Span
    special: bool = False


@dataclass(frozen=True)
class AttentionMap:
    """One map of one hypothesis, or of the source.

    Attributes:
        values: float32; [layers, heads, target, source] for "cross", [target, source] for "alignment"
            and "rollout", [layers, heads, n, n] for self-attention.
        layers, heads: the indexes that the first two axes stand for; for an alignment, those averaged.
        granularity: whether the last two axes are tokens or words of the result.
        method: of an alignment.
    """

    kind: AttentionKind
    values: Float32Array
    layers: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    granularity: Granularity = "token"
    method: AlignmentMethod | None = None


class Link(NamedTuple):
    """A hard link of the alignment: Pharaoh's `source-target`."""

    source: int
    target: int


@dataclass(frozen=True)
class Hypothesis:
    """One candidate output, with its maps.

    Attributes:
        words: the tokens' words, where the caller asked for words.
        links, entropy, coverage, source_coverage: of the alignment, where it was asked for; see the proto.
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


@dataclass(frozen=True)
class ImageGrid:
    """Where the source axis lies on a picture, upright.

    Attributes:
        box: left, top, right and bottom of what the model saw, in the picture's pixels.
        first_position: of the grid on the source axis; before it stand positions that are no part of the picture.
    """

    rows: int
    columns: int
    image_width: int
    image_height: int
    box: tuple[float, float, float, float]
    first_position: int = 0


@dataclass(frozen=True)
class Timings:
    """Where a request's time went, in milliseconds."""

    queue_ms: float
    encode_ms: float
    decode_ms: float


@dataclass(frozen=True)
class Source:
    """An input as the model read it.

    Attributes:
        num_truncated_tokens: source tokens that were cut off; 0 where nothing was.
        words: only where words were asked for.
        image_grid: for pictures, which have no tokens.
    """

    tokens: tuple[Token, ...] = ()
    words: tuple[Word, ...] = ()
    num_truncated_tokens: int = 0
    image_grid: ImageGrid | None = None


@dataclass(frozen=True)
class Result:
    """The answer to one input; hypotheses are best first. `maps` are those of the source alone."""

    hypotheses: tuple[Hypothesis, ...]
    source: Source
    timings: Timings
    model: str
    version: str
    num_parts: int = 1
    maps: tuple[AttentionMap, ...] = ()

    def all_maps(self) -> Iterator[AttentionMap]:
        """Yields the maps of the source and of every hypothesis."""
        yield from self.maps
        for hypothesis in self.hypotheses:
            yield from hypothesis.maps


@dataclass(frozen=True)
class Started:
    """First event of a stream."""

    source: Source
    model: str
    version: str


@dataclass(frozen=True)
class TokenEvent:
    """One token, final from now on; `text_delta` is empty while a character is incomplete."""

    index: int
    token: Token
    text_delta: str
    maps: tuple[AttentionMap, ...] = ()


StreamEvent = Started | TokenEvent | Result


@dataclass(frozen=True)
class ModelInfo:
    """What ListModels says of a model; `manifest` is None where none could be read, `reasons` say why.

    Attributes:
        load_s: how long it took to read and to warm up; None unless it is in memory.
    """

    name: str
    state: ModelState
    manifest: Manifest | None = None
    is_default: bool = False
    provider: Provider | None = None
    precision: Precision | None = None
    size_bytes: int = 0
    reasons: tuple[str, ...] = ()
    load_s: float | None = None
