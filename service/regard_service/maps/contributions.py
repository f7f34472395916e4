"""Contributions as weights, and followed through all layers (ALTI+)."""

from typing import NamedTuple

import numpy as np

from regard.arrays import Float32Array
from regard_service.engine.runtime.trace import Contributions, Trace


def as_weights(contributions: Float32Array, attention: Float32Array) -> Float32Array:
    """Divides each row by its sum; a row in which nothing contributes is the attention's.

    Args:
        contributions, attention: float32 [..., rows, columns].
    """
    totals = contributions.sum(axis=-1, keepdims=True)
    divided: Float32Array = np.divide(contributions, totals, out=attention.copy(), where=totals > 0)
    return divided


class FollowedContributions(NamedTuple):
    """The share of each input in each step's final state; a row of both sums to 1.

    Attributes:
        source: float32 [target, source].
        prefix: float32 [target, target]; column t is the decoder's input at step t: token t - 1, or the start.
    """

    source: Float32Array
    prefix: Float32Array

    @property
    def source_share(self) -> Float32Array:
        """The part of each step that comes from the source and not from the target's prefix: float32 [target]."""
        share: Float32Array = self.source.sum(axis=-1)
        return share

    @property
    def alignment(self) -> Float32Array:
        """The source's part alone, each row divided by its sum: float32 [target, source]."""
        return as_weights(self.source, np.full_like(self.source, 1 / self.source.shape[-1]))


def follow(trace: Trace) -> FollowedContributions:
    """Follows contributions through all layers (Ferrando et al. 2022, "Towards Opening the Black Box", section 3).

    Each layer's matrix has the shares of its attention's positions and of its residual; matrices are multiplied. The
    feed-forward sublayers mix no positions.

    Raises:
        ValueError: the trace lacks the contributions of a side.
    """
    encoder, decoder, cross = trace.encoder_contributions, trace.decoder_contributions, trace.cross_contributions
    if encoder is None or decoder is None or cross is None:
        raise ValueError("the trace has no contributions of the encoder, of the decoder or of cross-attention")
    memory = follow_encoder(encoder)
    num_targets = decoder.together.shape[-1]
    from_source = np.zeros((num_targets, len(memory)), np.float32)
    from_prefix = np.eye(num_targets, dtype=np.float32)
    for layer in range(len(decoder.together)):
        own = _with_residual(decoder, layer)
        attended, bypassed = shares(cross, layer)
        from_source = attended @ memory + bypassed[:, None] * (own @ from_source)
        from_prefix = bypassed[:, None] * (own @ from_prefix)
    return FollowedContributions(from_source, from_prefix)


def follow_encoder(encoder: Contributions) -> Float32Array:
    """Returns the share of each source token in each state after the last layer: float32 [source, source]."""
    memory = np.eye(encoder.together.shape[-1], dtype=np.float32)
    for layer in range(len(encoder.together)):
        memory = _with_residual(encoder, layer) @ memory
    return memory


def shares(contributions: Contributions, layer: int) -> tuple[Float32Array, Float32Array]:
    """Returns the shares of a layer's positions and of its residual, which sum to 1: [rows, columns] and [rows].

    Where nothing contributes, the residual has all.
    """
    together, residual = contributions.together[layer], contributions.residual[layer]
    totals = together.sum(axis=-1) + residual
    bypassed: Float32Array = np.divide(residual, totals, out=np.ones_like(residual), where=totals > 0)
    scale = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    return together * scale[:, None], bypassed


def _with_residual(contributions: Contributions, layer: int) -> Float32Array:
    """A layer of self-attention as one matrix, [rows, columns]; rows sum to 1."""
    attended, bypassed = shares(contributions, layer)
    mixed: Float32Array = attended + np.diag(bypassed)
    return mixed
