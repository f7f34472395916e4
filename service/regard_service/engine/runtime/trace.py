"""What a trace graph computes: all attention of one pass over a source and a finished target."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from regard.arrays import Array, Float32Array


def _no_gates() -> Float32Array:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Contributions:
    """What each position adds to the output of the attention sublayers of one kind, see `docs/maps.md`.

    Attributes:
        by_head: float32 [layers, heads, rows, columns], of each head's vectors.
        together: float32 [layers, rows, columns], of the vectors summed over heads.
        residual: float32 [layers, rows], of the state that bypasses the attention.
    """

    by_head: Float32Array
    together: Float32Array
    residual: Float32Array


@dataclass(frozen=True)
class Trace:
    """All attention of one pass; the norms are those of the value vectors after the output projection.

    Maps that the graph does not output have 0 layers here: SSRU decoders have no self-attention.

    Attributes:
        encoder_self: float32 [layers, heads, source, source].
        decoder_self: float32 [layers, heads, target, target]; row t is the step that made token t, column 0 the
            decoder's start, column t token t - 1.
        cross: float32 [layers, heads, target, source].
        encoder_norms, cross_norms: float32 [layers, heads, source] (Kobayashi et al. 2020, section 3).
        decoder_norms: float32 [layers, heads, target].
        logprobs: float32 [target], natural log, of the labels; None if there are none.
        encoder_contributions, decoder_contributions, cross_contributions: None if they were not computed.
        channel: float32 [layers, channels], the gates of a feature map's channels, each between 0 and 1.
        spatial: float32 [layers, source], the gates of its positions, likewise.
    """

    encoder_self: Float32Array
    decoder_self: Float32Array
    cross: Float32Array
    encoder_norms: Float32Array
    decoder_norms: Float32Array
    cross_norms: Float32Array
    logprobs: Float32Array | None = None
    encoder_contributions: Contributions | None = None
    decoder_contributions: Contributions | None = None
    cross_contributions: Contributions | None = None
    channel: Float32Array = field(default_factory=_no_gates)
    spatial: Float32Array = field(default_factory=_no_gates)

    @property
    def has_contributions(self) -> bool:
        """Whether there are contributions of every kind of attention."""
        found = (self.encoder_contributions, self.decoder_contributions, self.cross_contributions)
        return all(each is not None for each in found)


def read_trace(outputs: Mapping[str, Array]) -> Trace:
    """Collects a trace graph's outputs, by name. Those that were not asked for have no elements."""

    def layers(kind: str) -> Float32Array:
        count = sum(name.rpartition("_")[0] == kind for name in outputs)
        return np.array([outputs[f"{kind}_{layer}"] for layer in range(count)], np.float32)

    def contributions(title: str) -> Contributions | None:
        kinds = ("head_contribution", "contribution", "residual")
        by_head, together, residual = (layers(f"{title}_{kind}") for kind in kinds)
        return Contributions(by_head, together, residual) if together.size else None

    logprobs = outputs.get("target_logprobs")
    return Trace(
        encoder_self=layers("encoder_attention"),
        decoder_self=layers("decoder_attention"),
        cross=layers("cross_attention"),
        encoder_norms=layers("encoder_value_norm"),
        decoder_norms=layers("decoder_value_norm"),
        cross_norms=layers("cross_value_norm"),
        logprobs=logprobs if logprobs is not None and logprobs.size else None,
        encoder_contributions=contributions("encoder"),
        decoder_contributions=contributions("decoder"),
        cross_contributions=contributions("cross"),
        channel=layers("channel_attention"),
        spatial=layers("spatial_attention"),
    )
