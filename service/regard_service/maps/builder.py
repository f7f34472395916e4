"""Builds the attention maps of a call from the attention that the engine kept and from traces."""

from collections.abc import Iterator, Sequence

import numpy as np

from regard.arrays import Float32Array
from regard_service.bundle import AttentionLayout
from regard_service.domain.calls import AlignmentMethod, AttentionKind, AttentionOptions
from regard_service.domain.offered_maps import GATE_KINDS, STEP_KINDS, default_method
from regard_service.domain.results import AttentionMap
from regard_service.engine.runtime.trace import Trace
from regard_service.maps.contributions import as_weights, follow
from regard_service.maps.norms import weigh
from regard_service.maps.reduce import align, select, shift
from regard_service.maps.rollout import encoder_rollout, rollout


def needs_trace(options: AttentionOptions) -> bool:
    """Whether the maps of a call need the trace graph."""
    return bool(options.kinds) and (options.weighting != "attention" or not set(options.kinds) <= set(STEP_KINDS))


def needs_contributions(options: AttentionOptions) -> bool:
    """Whether the maps of a call need the contributions that a trace graph computes."""
    return bool(options.kinds) and options.weighting == "contribution"


class MapBuilder:
    """Builds the maps of one call.

    Args:
        layout: has the defaults for what the call leaves open.
    """

    def __init__(self, options: AttentionOptions, layout: AttentionLayout) -> None:
        self._options = options
        self._alignment_heads = layout.alignment_heads
        # The default step was chosen for the alignment heads, not for what all heads add together.
        is_of_all_heads = needs_contributions(options) and not options.heads
        self._method: AlignmentMethod = options.method or ("plain" if is_of_all_heads else default_method(layout))

    @property
    def needs_next_step(self) -> bool:
        """Whether a token's row is known only after the step that reads the token."""
        is_made_of_steps = not needs_contributions(self._options)
        return self._method == "shifted" and "alignment" in self._options.kinds and is_made_of_steps

    def of_target(self, cross: Float32Array, trace: Trace | None) -> Iterator[AttentionMap]:
        """Yields the maps of a hypothesis, in the order of the call's kinds, between tokens.

        Args:
            cross: float32 [layers, heads, target, source].
        """
        if trace is not None and needs_contributions(self._options):
            yield from (self._contributed(kind, trace) for kind in self._options.kinds if kind != "encoder_self")
            return
        norms = trace.cross_norms if trace is not None else None
        for kind in self._options.kinds:
            if kind in STEP_KINDS:
                yield self._of_steps(kind, cross, norms)
            elif kind == "decoder_self" and trace is not None:
                yield self._selected(kind, trace.decoder_self, trace.decoder_norms)
            elif kind == "rollout" and trace is not None:
                yield AttentionMap(kind, rollout(trace.encoder_self, trace.decoder_self, trace.cross))

    def of_source(self, trace: Trace | None) -> Iterator[AttentionMap]:
        """Yields the maps that all hypotheses share, between tokens."""
        if trace is None or "encoder_self" not in self._options.kinds:
            return
        if needs_contributions(self._options):
            yield self._contributed("encoder_self", trace)
        else:
            yield self._selected("encoder_self", trace.encoder_self, trace.encoder_norms)

    def of_encoder(self, trace: Trace) -> Iterator[AttentionMap]:
        """Yields the maps of a model without a decoder, in the order of the call's kinds, between tokens."""
        for kind in self._options.kinds:
            if kind == "rollout":
                yield AttentionMap(kind, encoder_rollout(trace.encoder_self))
            elif kind in GATE_KINDS:
                yield self._gates(kind, trace.channel if kind == "channel" else trace.spatial)
            else:
                yield from self.of_source(trace)

    def of_queries(self, trace: Trace, queries: Sequence[int]) -> Iterator[AttentionMap]:
        """Yields the maps of a model whose queries attend to a picture, in the order of the call's kinds.

        Args:
            queries: those whose rows the maps between queries and picture have, in this order.
        """
        cross = trace.cross[:, :, list(queries)]
        for kind in self._options.kinds:
            if kind in STEP_KINDS:
                yield self._of_steps(kind, cross, trace.cross_norms)
            else:
                yield from self.of_source(trace)

    def of_steps(self, cross: Float32Array, norms: Float32Array | None) -> Iterator[AttentionMap]:
        """Yields the maps of some steps, before the last step has run.

        Args:
            cross: float32 [layers, heads, steps, source].
            norms: float32 [layers, heads, source], of the transformed values; None with the weighting "attention".
        """
        if needs_contributions(self._options):  # which only a whole output has
            return
        for kind in self._options.kinds:
            if kind in STEP_KINDS:
                yield self._of_steps(kind, cross, norms)

    def _contributed(self, kind: AttentionKind, trace: Trace) -> AttentionMap:
        if kind == "rollout":
            return AttentionMap(kind, follow(trace).alignment)
        if kind == "alignment" and not self._options.heads:
            return self._alignment_of_layers(trace)
        attention, contributions = {
            "encoder_self": (trace.encoder_self, trace.encoder_contributions),
            "decoder_self": (trace.decoder_self, trace.decoder_contributions),
        }.get(kind, (trace.cross, trace.cross_contributions))
        if contributions is None:
            raise ValueError(f"the trace has no contributions for {kind}")
        weights = as_weights(contributions.by_head, attention)
        return self._alignment(weights) if kind == "alignment" else self._selected(kind, weights, None)

    def _alignment_of_layers(self, trace: Trace) -> AttentionMap:
        """The mean over layers, each with the vectors of all heads together."""
        if trace.cross_contributions is None:
            raise ValueError("the trace has no contributions of cross-attention")
        layers = self._options.layers or tuple(sorted({layer for layer, _ in self._alignment_heads}))
        weights = as_weights(trace.cross_contributions.together, trace.cross.mean(axis=1))
        mean: Float32Array = weights[list(layers)].mean(axis=0)
        values = shift(mean) if self._method == "shifted" else mean
        return AttentionMap("alignment", values, tuple(sorted(layers)), method=self._method)

    def _of_steps(self, kind: AttentionKind, cross: Float32Array, norms: Float32Array | None) -> AttentionMap:
        if kind == "cross":
            return self._selected(kind, cross, norms)
        return self._alignment(self._weighed(cross, norms))

    def _selected(self, kind: AttentionKind, values: Float32Array, norms: Float32Array | None) -> AttentionMap:
        layers = self._options.layers or tuple(range(values.shape[0]))
        heads = self._options.heads or tuple(range(values.shape[1]))
        return AttentionMap(kind, select(self._weighed(values, norms), layers, heads), layers, heads)

    def _gates(self, kind: AttentionKind, values: Float32Array) -> AttentionMap:
        layers = self._options.layers or tuple(range(len(values)))
        return AttentionMap(kind, np.ascontiguousarray(values[list(layers)]), layers)

    def _weighed(self, values: Float32Array, norms: Float32Array | None) -> Float32Array:
        return weigh(values, norms) if self._options.weighting == "value_norm" and norms is not None else values

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
