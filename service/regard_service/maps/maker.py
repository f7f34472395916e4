"""The attention maps that a caller asked for, from what the engine kept of a hypothesis and its trace."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from regard.arrays import Float32Array
from regard_service.bundle import AttentionLayout, Manifest
from regard_service.domain import AlignmentMethod, AttentionKind, AttentionMap, AttentionOptions, Word
from regard_service.engine.runtime.trace import Trace
from regard_service.maps.norms import weigh
from regard_service.maps.reduce import align, select, shift
from regard_service.maps.rollout import rollout
from regard_service.maps.words import merge_read_words, merge_words

STEPPED_KINDS: tuple[AttentionKind, ...] = ("cross", "alignment")
TRACED_KINDS: tuple[AttentionKind, ...] = ("encoder_self", "decoder_self", "rollout")


def offered_kinds(manifest: Manifest) -> tuple[AttentionKind, ...]:
    """The kinds of map that a model has."""
    return STEPPED_KINDS + (TRACED_KINDS if manifest.is_traced else ())


def default_method(layout: AttentionLayout) -> AlignmentMethod:
    """Which step a token is aligned at where nobody says."""
    return "shifted" if layout.alignment_shifted else "plain"


def num_layers_and_heads(manifest: Manifest, kind: AttentionKind) -> tuple[int, int]:
    """What a caller may choose from."""
    layout = manifest.attention
    return (layout.encoder_layers, layout.encoder_heads) if kind == "encoder_self" else (layout.layers, layout.heads)


def needs_trace(options: AttentionOptions) -> bool:
    """Whether the steps alone do not tell what is asked for."""
    return bool(options.kinds) and (options.value_norms or not set(options.kinds) <= set(STEPPED_KINDS))


class MapMaker:
    """Makes the maps that one call asked for.

    Args:
        layout: has the defaults of what the call leaves open.
    """

    def __init__(self, options: AttentionOptions, layout: AttentionLayout) -> None:
        self._options = options
        self._alignment_heads = layout.alignment_heads
        self._method: AlignmentMethod = options.method or default_method(layout)

    @property
    def waits_for_the_next_step(self) -> bool:
        """Whether a token's row is known only when the token has been read."""
        return self._method == "shifted" and "alignment" in self._options.kinds

    def of_target(self, cross: Float32Array, trace: Trace | None) -> Iterator[AttentionMap]:
        """Yields the maps of a hypothesis, in the order of the call, between tokens.

        Args:
            cross: float32 [layers, heads, target, source].
        """
        norms = trace.cross_norms if trace is not None else None
        for kind in self._options.kinds:
            if kind in STEPPED_KINDS:
                yield self._stepped(kind, cross, norms)
            elif kind == "decoder_self" and trace is not None:
                yield self._selected(kind, trace.decoder_self, trace.decoder_norms)
            elif kind == "rollout" and trace is not None:
                yield AttentionMap(kind, rollout(trace.encoder_self, trace.decoder_self, trace.cross))

    def of_source(self, trace: Trace | None) -> Iterator[AttentionMap]:
        """Yields the maps that all hypotheses share, between tokens."""
        if trace is not None and "encoder_self" in self._options.kinds:
            yield self._selected("encoder_self", trace.encoder_self, trace.encoder_norms)

    def of_steps(self, cross: Float32Array, norms: Float32Array | None) -> Iterator[AttentionMap]:
        """Yields what can be told of some steps before all are done.

        Args:
            cross: float32 [layers, heads, steps, source].
            norms: float32 [layers, heads, source], of the transformed values; None where they do not count.
        """
        for kind in self._options.kinds:
            if kind in STEPPED_KINDS:
                yield self._stepped(kind, cross, norms)

    def _stepped(self, kind: AttentionKind, cross: Float32Array, norms: Float32Array | None) -> AttentionMap:
        if kind == "cross":
            return self._selected(kind, cross, norms)
        return self._alignment(self._weighed(cross, norms))

    def _selected(self, kind: AttentionKind, values: Float32Array, norms: Float32Array | None) -> AttentionMap:
        layers = self._options.layers or tuple(range(values.shape[0]))
        heads = self._options.heads or tuple(range(values.shape[1]))
        return AttentionMap(kind, select(self._weighed(values, norms), layers, heads), layers, heads)

    def _weighed(self, values: Float32Array, norms: Float32Array | None) -> Float32Array:
        return weigh(values, norms) if self._options.value_norms and norms is not None else values

    def _alignment(self, cross: Float32Array) -> AttentionMap:
        pairs = list(self._alignment_heads)
        if self._options.layers or self._options.heads:
            layers = self._options.layers or range(cross.shape[0])
            pairs = [(layer, head) for layer in layers for head in self._options.heads or range(cross.shape[1])]
        values = align(cross, pairs)
        if self._method == "shifted":
            values = shift(values)
        used_layers = tuple(sorted({layer for layer, _ in pairs}))
        used_heads = tuple(sorted({head for _, head in pairs}))
        return AttentionMap("alignment", values, used_layers, used_heads, method=self._method)


def by_words(tokens: AttentionMap, targets: Sequence[Word], sources: Sequence[Word] | None) -> AttentionMap:
    """A map between words.

    Args:
        sources: None for pictures, whose regions stay.
    """
    target_ranges = [word.tokens for word in targets]
    source_ranges = None if sources is None else [word.tokens for word in sources]
    if tokens.kind == "decoder_self":
        values = merge_read_words(tokens.values, target_ranges)
    elif tokens.kind == "encoder_self":
        values = merge_words(tokens.values, source_ranges, source_ranges)
    else:
        values = merge_words(tokens.values, target_ranges, source_ranges)
    return replace(tokens, values=values, granularity="word")
