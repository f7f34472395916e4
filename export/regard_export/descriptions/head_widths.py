"""Heads of any width for a kernel that takes only some: GroupQueryAttention reads heads of a multiple of 8 numbers.

Zeros behind a head's queries, keys and values change neither its scores nor its output.
"""

from dataclasses import replace

import numpy as np

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Weights
from regard_models.nets.transformer_config import Side, TransformerConfig

KERNEL_MULTIPLE = 8
SIDES: tuple[Side, ...] = ("encoder", "decoder")
PROJECTIONS = ("query", "key", "value")


def with_kernel_head_width(config: TransformerConfig, weights: Weights) -> tuple[TransformerConfig, Weights]:
    """The same transformer with heads that the kernel takes; unchanged if it takes the decoder's already.

    Args:
        weights: by the parameter names of `Transformer`, of the shapes that `config` says.
    """
    if config.width_of_head % KERNEL_MULTIPLE == 0 or not config.decoder_layers:
        return config, weights
    widest = max(config.width_of_head, config.of_encoder.width_of_head if config.encoder_layers else 0)
    wider = replace(config, head_width=-(-widest // KERNEL_MULTIPLE) * KERNEL_MULTIPLE)
    padded = dict(weights)
    for side, before in zip(SIDES, (config.of_encoder, config), strict=True):
        # Scores are divided by the square root of the width: the queries make up for its change.
        scale = (wider.width_of_head / before.width_of_head) ** 0.5 if config.scale_attention else 1.0
        for layer in range(config.encoder_layers if side == "encoder" else config.decoder_layers):
            for attention in ("self_attention", "cross_attention") if side == "decoder" else ("self_attention",):
                place = f"{side}.{layer}.{attention}"
                for name, axis in _parameters(place):
                    if name in weights:
                        factor = scale if name.startswith(f"{place}.query.") else 1.0
                        padded[name] = _padded(weights[name], axis, before.num_heads, wider.width_of_head, factor)
    return wider, padded


def _parameters(place: str) -> list[tuple[str, int]]:
    """An attention's parameters that heads divide, with the axis of the heads."""
    projections = [(f"{place}.{kind}.{part}", 0) for kind in PROJECTIONS for part in ("weight", "bias")]
    return [*projections, (f"{place}.output.weight", 1)]


def _padded(weight: Float32Array, axis: int, num_heads: int, width: int, factor: float) -> Float32Array:
    by_head = np.stack(np.split(weight, num_heads, axis), axis)
    missing = [(0, 0)] * by_head.ndim
    missing[axis + 1] = (0, width - by_head.shape[axis + 1])
    shape = list(weight.shape)
    shape[axis] = num_heads * width
    return (np.pad(by_head, missing) * np.float32(factor)).reshape(shape)
