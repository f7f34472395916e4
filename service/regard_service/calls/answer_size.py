"""Foretells what a call's answer takes, from the shapes of its inputs and its options, before any work starts."""

from collections.abc import Sequence
from dataclasses import dataclass

from regard_service.bundle import BoxesOutput, Manifest
from regard_service.calls.inputs import Input, Parts
from regard_service.domain.calls import AttentionKind, AttentionOptions
from regard_service.domain.offered_maps import GATE_KINDS, num_layers_and_heads
from regard_service.domain.results import Result
from regard_service.engine.runtime.runner import source_length
from regard_service.errors import AnswerTooLarge, Overloaded
from regard_service.generation import Generation
from regard_service.maps.builder import needs_trace

WEIGHT_BYTES = {"float32": 4, "float16": 2, "uint8": 1}
INDEX_BYTES = 2  # of each weight of a sparse map
KEPT_BYTES = 4  # of each weight that the engine keeps, float32
SOURCE_TOKEN_BYTES, TARGET_TOKEN_BYTES = 24, 32  # in a message: number, piece, span, score

FEW_TOKENS = 4096  # of a call; their answer has no more than a few megabytes

# Expected target positions for each source position, and of a caption. An answer that turns out larger is refused when
# it is known.
TARGET_PER_SOURCE = {"translation": 1.0, "summarization": 0.25}
CAPTION_TOKENS = 16
WORDS_PER_TOKEN = 0.7


@dataclass(frozen=True)
class AnswerLimits:
    """The limits of an answer.

    Attributes:
        max_bytes: of the message.
        max_making_bytes: of the attention that is kept until the message is made, and the message.
    """

    max_bytes: int = 32 * 2**20
    max_making_bytes: int = 256 * 2**20


class MakingMemory:
    """The memory of all answers in the making, on one event loop.

    Args:
        max_bytes: the limit, which `AnswerLimits` gives.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0

    def take(self, num_bytes: int) -> None:
        """Takes memory for a call. Raises Overloaded if there is too little beside the other calls'."""
        if self._num_bytes and self._num_bytes + num_bytes > self._max_bytes:
            raise Overloaded(
                f"the answers in the making take {self._num_bytes} bytes and this one {num_bytes} more; "
                f"the limit is max_answer_memory_bytes, {self._max_bytes}",
                retry_after_s=1.0,
            )
        self._num_bytes += num_bytes

    def give_back(self, num_bytes: int) -> None:
        """Frees the memory of a call that has ended."""
        self._num_bytes -= num_bytes


def check_answer(
    manifest: Manifest,
    options: AttentionOptions,
    generation: Generation,
    inputs: Sequence[Input],
    limits: AnswerLimits,
    *,
    is_written: bool = True,
) -> int:
    """Refuses a call whose answer is expected to exceed a limit.

    Args:
        is_written: as of `too_large`.

    Returns:
        the bytes that its making takes.

    Raises:
        AnswerTooLarge: names the limit, and what makes the answer smaller.
    """
    if not options.kinds:
        num_tokens: int = sum(source_length(manifest, part.array) for read in inputs for part in read.parts)
        most = num_tokens * generation.num_return_sequences * (SOURCE_TOKEN_BYTES + 2 * TARGET_TOKEN_BYTES)
        if num_tokens <= FEW_TOKENS and most <= limits.max_bytes:  # nearly all calls: nothing needs to be computed
            return most
    # The maps of a text in segments come by segment; those of a text that was split cover it whole.
    wholes = [
        parts for read in inputs for parts in ([read.parts] if read.passage is None else [(p,) for p in read.parts])
    ]
    sizes = [_Shapes.of(manifest, generation, parts) for parts in wholes]
    num_bytes = sum(_answer_bytes(manifest, options, generation, each) for each in sizes)
    if num_bytes > limits.max_bytes:
        found = f"the answer would have some {num_bytes} bytes"
        raise too_large(found, "max_message_bytes", limits.max_bytes, options, is_written=is_written)
    num_kept = num_bytes + sum(_kept_bytes(manifest, options, generation, each) for each in sizes)
    if num_kept > limits.max_making_bytes:
        found = f"making the answer would take some {num_kept} bytes of memory"
        raise too_large(found, "max_answer_memory_bytes", limits.max_making_bytes, options, is_written=is_written)
    return num_kept


def result_bytes(result: Result, options: AttentionOptions) -> int:
    """Returns the bytes of a result's maps in an answer."""
    return sum(_weights_bytes(each.values.size, each.values.shape[-1], options) for each in result.all_maps())


def too_large(
    found: str, limit_name: str, limit: int, options: AttentionOptions, *, is_written: bool = True
) -> AnswerTooLarge:
    """Returns the error of an answer that exceeds a limit.

    Args:
        found: what exceeds it, and by its value.
        is_written: whether the model writes outputs, so that there are streams and options of generation.
    """
    helps = ["fewer inputs"]
    if is_written:
        helps += ["a stream", "smaller max_new_tokens or num_return_sequences"]
    if options.kinds:
        helps = ["attention.top_k", "encoding UINT8", "fewer kinds, layers or heads", *helps]
    field = "attention.kinds" if options.kinds else "request"
    return AnswerTooLarge.of(field, f"{found}; the limit is {limit_name}, {limit}; what helps: {', '.join(helps)}")


@dataclass(frozen=True)
class _Shapes:
    """Expected positions of one input: of its parts, and of all of them joined."""

    parts: Sequence[tuple[int, int]]  # source, target

    @classmethod
    def of(cls, manifest: Manifest, generation: Generation, parts: Parts) -> "_Shapes":
        return cls([_part_shape(manifest, generation, source_length(manifest, part.array)) for part in parts])

    @property
    def source(self) -> int:
        return sum(source for source, _ in self.parts)

    @property
    def target(self) -> int:
        return sum(target for _, target in self.parts)


def _part_shape(manifest: Manifest, generation: Generation, num_source: int) -> tuple[int, int]:
    if isinstance(manifest.output, BoxesOutput):
        return num_source, generation.max_new_tokens  # a row for each object
    ratio = TARGET_PER_SOURCE.get(manifest.task)
    expected = CAPTION_TOKENS if ratio is None else round(ratio * num_source)
    return num_source, max(1, generation.min_new_tokens, min(expected, generation.max_new_tokens))


def _answer_bytes(manifest: Manifest, options: AttentionOptions, generation: Generation, shapes: _Shapes) -> int:
    num_answers = generation.num_return_sequences if len(shapes.parts) == 1 else 1
    source, target = shapes.source, shapes.target
    total = source * SOURCE_TOKEN_BYTES + num_answers * target * TARGET_TOKEN_BYTES
    factor = WORDS_PER_TOKEN if options.granularity == "word" else 1.0
    rows = int(target * factor)
    columns = int(source * factor) if manifest.image_source is None else source  # the parts of a picture are no words
    for kind in options.kinds:
        if kind in GATE_KINDS:
            width = _gate_width(manifest, kind, source)
            total += _weights_bytes(_num_planes(manifest, options, kind) * width, width, options)
            continue
        is_of_source = kind == "encoder_self" or not manifest.attention.layers
        height, width = (columns, columns) if is_of_source else (rows, rows if kind == "decoder_self" else columns)
        num_weights = _num_planes(manifest, options, kind) * height * width
        total += (1 if kind == "encoder_self" else num_answers) * _weights_bytes(num_weights, width, options)
    return total


def _kept_bytes(manifest: Manifest, options: AttentionOptions, generation: Generation, shapes: _Shapes) -> int:
    """Returns the bytes of the attention that the engine keeps: of all layers and heads, for every answer."""
    if not options.kinds:
        return 0
    num_answers = generation.num_return_sequences if len(shapes.parts) == 1 else 1
    layers, heads = num_layers_and_heads(manifest, "cross")
    own_layers, own_heads = num_layers_and_heads(manifest, "encoder_self")
    if isinstance(manifest.output, BoxesOutput):  # traced are the rows of all queries
        rows = layers * heads * manifest.output.queries
        own = own_layers * own_heads * shapes.source if "encoder_self" in options.kinds else 0
        return shapes.source * (rows + own) * KEPT_BYTES
    total = sum(
        num_layers_and_heads(manifest, kind)[0] * _gate_width(manifest, kind, shapes.source) for kind in GATE_KINDS
    )
    for source, target in shapes.parts:
        total += num_answers * layers * heads * target * source
        if needs_trace(options):
            total += num_answers * (layers * heads * target * (target + source) + own_layers * own_heads * source**2)
    return total * KEPT_BYTES


def _num_planes(manifest: Manifest, options: AttentionOptions, kind: AttentionKind) -> int:
    if kind in ("alignment", "rollout"):
        return 1
    layers, heads = num_layers_and_heads(manifest, kind)
    if kind in GATE_KINDS:
        return len(options.layers or range(layers))
    return len(options.layers or range(layers)) * len(options.heads or range(heads))


def _gate_width(manifest: Manifest, kind: AttentionKind, num_source: int) -> int:
    return manifest.attention.channels if kind == "channel" else num_source


def _weights_bytes(num_weights: int, num_columns: int, options: AttentionOptions) -> int:
    top_k = options.top_k
    if top_k is None or top_k >= num_columns:
        return num_weights * WEIGHT_BYTES[options.encoding]
    return num_weights // num_columns * top_k * (WEIGHT_BYTES[options.encoding] + INDEX_BYTES)
