"""Attention rollout (Abnar and Zuidema 2020): the share of each input in each output, through all layers.

A layer adds the output of its attention to each position's residual. Section 3 of the paper gives both equal shares,
A' = (A + I) / 2 with A the mean over heads, and multiplies the layers' matrices.
"""

import numpy as np

from regard.arrays import Float32Array

RESIDUAL = 0.5  # the share of a position's state that bypasses attention


def encoder_rollout(self_attention: Float32Array) -> Float32Array:
    """Returns the share of each source token in each source position's final state.

    Args:
        self_attention: float32 [layers, heads, source, source].

    Returns:
        float32 [source, source]; rows sum to 1.
    """
    rolled = np.eye(self_attention.shape[-1], dtype=np.float32)
    for layer in self_attention.mean(axis=1):
        rolled = _mix(rolled, layer @ rolled)
    return rolled


def rollout(encoder_self: Float32Array, decoder_self: Float32Array, cross: Float32Array) -> Float32Array:
    """Returns the share of each source token in each step's final state.

    The paper covers encoders only. In a decoder layer, a position first mixes with the positions before it and then
    with the source, each at equal shares with its residual. The share of the target's own tokens is left out, and each
    row is normalized.

    Args:
        encoder_self: float32 [layers, heads, source, source].
        decoder_self: float32 [layers, heads, target, target]; row t is the step that generated token t, column t
            its input: token t - 1, or the decoder's start.
        cross: float32 [layers, heads, target, source].

    Returns:
        float32 [target, source]; rows sum to 1.
    """
    memory = encoder_rollout(encoder_self)
    from_source = np.zeros(cross.shape[2:], np.float32)
    for self_layer, cross_layer in zip(decoder_self.mean(axis=1), cross.mean(axis=1), strict=True):
        from_source = _mix(from_source, self_layer @ from_source)
        from_source = _mix(from_source, cross_layer @ memory)
    normalized: Float32Array = from_source / from_source.sum(axis=1, keepdims=True)
    return normalized


def _mix(residual: Float32Array, attended: Float32Array) -> Float32Array:
    mixed: Float32Array = RESIDUAL * residual + (1.0 - RESIDUAL) * attended
    return mixed
