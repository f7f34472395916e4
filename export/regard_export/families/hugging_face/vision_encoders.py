"""Vision encoders of `transformers` (ViT, DeiT, BEiT, Swin, Donut's Swin), mapped to this project's."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.swin import SwinEncoder
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.checkpoints.weight_names import ACTIVATIONS, WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.encoders import SwinDescription, VisionDescription
from regard_export.descriptions.layers import Weights
from regard_export.errors import ExportError
from regard_models.nets.swin import SwinConfig
from regard_models.nets.vision_transformer import VisionTransformerConfig

ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "o_proj"}

# Our names to theirs, for ViT, DeiT, BEiT and Swin.
LAYER = {
    **{f"self_attention.{ours}": f"attention.{theirs}" for ours, theirs in ATTENTION.items()},
    "self_attention_sublayer.norm": "layernorm_before",
    "feed_forward_sublayer.norm": "layernorm_after",
    "feed_forward.inner": "mlp.fc1",
    "feed_forward.outer": "mlp.fc2",
}
# Those of Donut's Swin.
DONUT_LAYER = {
    **{f"self_attention.{kind}": f"attention.self.{kind}" for kind in ("query", "key", "value")},
    "self_attention.output": "attention.output.dense",
    "self_attention_sublayer.norm": "layernorm_before",
    "feed_forward_sublayer.norm": "layernorm_after",
    "feed_forward.inner": "intermediate.dense",
    "feed_forward.outer": "output.dense",
}
DISTANCES = "relative_position_bias_table"


PictureEncoder = VisionEncoder | SwinEncoder


def vision_encoder(config: Any, weights: Weights) -> PictureEncoder:
    """Maps an encoder.

    Args:
        config: of `transformers`.
        weights: by the encoder's own names.

    Raises:
        ExportError: the encoder is of an unknown kind, or has unsupported options.
    """
    if config.model_type not in ENCODERS:
        raise ExportError(f"unknown encoder {config.model_type!r}; known are {', '.join(sorted(ENCODERS))}")
    try:
        return ENCODERS[config.model_type](config, weights)
    except ValueError as error:  # the net's sizes do not fit each other
        raise ExportError(f"this {config.model_type} encoder is not supported: {error}") from error


def _vit(config: Any, weights: Weights) -> VisionEncoder:
    """Dosovitskiy et al. 2021."""
    class_tokens = weights["embeddings.cls_token"][0]
    return _describe(config, weights, class_tokens, weights["embeddings.position_embeddings"][0])


def _deit(config: Any, weights: Weights) -> VisionEncoder:
    """Touvron et al. 2021: a distillation token behind the class token."""
    tokens = [weights[f"embeddings.{name}"][0] for name in ("cls_token", "distillation_token")]
    return _describe(config, weights, np.concatenate(tokens), weights["embeddings.position_embeddings"][0])


def _beit(config: Any, weights: Weights) -> VisionEncoder:
    """Bao et al. 2022: relative positions instead of absolute ones, and keys without a bias.

    The scale of each channel of a sublayer's output (Touvron et al. 2021, "Going deeper with Image Transformers")
    is merged into the sublayer's last projection.
    """
    is_relative = config.use_relative_position_bias or config.use_shared_relative_position_bias
    positions = weights["embeddings.position_embeddings"][0] if config.use_absolute_position_embeddings else None
    vision = vision_config(
        config,
        absolute_positions=positions is not None,
        relative_positions=is_relative,
        final_norm=not config.use_mean_pooling,
    )
    ours = _weights(vision, weights, weights["embeddings.cls_token"][0], positions)
    for layer in range(vision.num_layers):
        for number, name in ((1, "self_attention.output"), (2, "feed_forward.outer")):
            scale = weights.get(f"layers.{layer}.lambda_{number}")
            if scale is not None:
                ours[f"encoder.{layer}.{name}.weight"] = ours[f"encoder.{layer}.{name}.weight"] * scale[:, None]
                ours[f"encoder.{layer}.{name}.bias"] = ours[f"encoder.{layer}.{name}.bias"] * scale
        if is_relative:
            places = (f"layers.{layer}.relative_position_bias", "shared_position_bias")
            tables = [weights.get(f"{place}.relative_position_bias_table") for place in places]
            ours[f"distances.{layer}.table"] = np.sum([table for table in tables if table is not None], axis=0)
    return VisionEncoder(VisionDescription(vision.layers, ours, vision=vision))


def _describe(config: Any, theirs: Weights, class_tokens: Float32Array, positions: Float32Array) -> VisionEncoder:
    vision = vision_config(config, class_tokens=len(class_tokens))
    weights = _weights(vision, theirs, class_tokens, positions)
    return VisionEncoder(VisionDescription(vision.layers, weights, vision=vision))


def _weights(
    vision: VisionTransformerConfig, theirs: Weights, class_tokens: Float32Array, positions: Float32Array | None
) -> dict[str, Float32Array]:
    """The weights that ViT, DeiT and BEiT share."""
    names = {"patches": "embeddings.patch_embeddings.projection"}
    if vision.final_norm:
        names["encoder_norm"] = "layernorm"
    ours = {"class_tokens": class_tokens, **renamed(theirs, names, WEIGHT_AND_BIAS)}
    if positions is not None:
        ours["positions"] = positions
    for layer in range(vision.num_layers):
        ours |= renamed(theirs, LAYER, WEIGHT_AND_BIAS, f"encoder.{layer}.", f"layers.{layer}.")
    return ours


def _swin(config: Any, theirs: Weights) -> SwinEncoder:
    """Liu et al. 2021."""
    return _swin_like(config, theirs, LAYER, f"attention.relative_position_bias.{DISTANCES}", final_norm=True)


def _donut_swin(config: Any, theirs: Weights) -> SwinEncoder:
    """Kim et al. 2022 ("OCR-free Document Understanding Transformer"): Swin without the last normalization."""
    if config.use_absolute_embeddings:  # the library's own code adds one position too many
        raise ExportError("this donut-swin encoder has unsupported options: use_absolute_embeddings True")
    return _swin_like(config, theirs, DONUT_LAYER, f"attention.self.{DISTANCES}", final_norm=False)


def _swin_like(
    config: Any, theirs: Weights, layer_names: Mapping[str, str], distances: str, *, final_norm: bool
) -> SwinEncoder:
    """Args: layer_names: our names to theirs within a layer; distances: their name of its table."""
    swin = SwinConfig(
        patch_width=config.embed_dim,
        depths=tuple(config.depths),
        num_heads=tuple(config.num_heads),
        window=config.window_size,
        feed_forward_ratio=config.mlp_ratio,
        absolute_positions=config.use_absolute_embeddings,
        final_norm=final_norm,
        **_shared_options(config),
    )
    return SwinEncoder(
        SwinDescription(
            swin.layers(len(swin.depths) - 1), _swin_weights(swin, theirs, layer_names, distances), swin=swin
        )
    )


def _swin_weights(
    swin: SwinConfig, theirs: Weights, layer_names: Mapping[str, str], distances: str
) -> dict[str, Float32Array]:
    names = {"patches": "embeddings.patch_embeddings.projection", "patch_norm": "embeddings.norm"}
    if swin.final_norm:
        names["encoder_norm"] = "layernorm"
    ours = renamed(theirs, names, WEIGHT_AND_BIAS)
    if swin.absolute_positions:
        ours["positions"] = theirs["embeddings.position_embeddings"][0]
    for stage, depth in enumerate(swin.depths):
        for layer in range(depth):
            place = f"encoder.layers.{stage}.blocks.{layer}."
            ours |= renamed(theirs, layer_names, WEIGHT_AND_BIAS, f"stages.{stage}.{layer}.layer.", place)
            ours[f"stages.{stage}.{layer}.distances.table"] = theirs[f"{place}{distances}"]
        if stage + 1 < len(swin.depths):
            place = f"encoder.layers.{stage}.downsample"
            ours |= renamed(theirs, {f"merges.{stage}.norm": f"{place}.norm"}, WEIGHT_AND_BIAS)
            ours[f"merges.{stage}.reduction.weight"] = theirs[f"{place}.reduction.weight"]
    return ours


def vision_config(
    config: Any,
    *,
    class_tokens: int = 1,
    absolute_positions: bool = True,
    relative_positions: bool = False,
    final_norm: bool = True,
) -> VisionTransformerConfig:
    """The config of a vision transformer with one width; the options are `VisionTransformerConfig`'s.

    Raises:
        ExportError: names every unsupported option.
    """
    return VisionTransformerConfig(
        width=config.hidden_size,
        num_heads=config.num_attention_heads,
        num_layers=config.num_hidden_layers,
        feed_forward_width=config.intermediate_size,
        class_tokens=class_tokens,
        absolute_positions=absolute_positions,
        relative_positions=relative_positions,
        final_norm=final_norm,
        **_shared_options(config),
    )


def _shared_options(config: Any) -> dict[str, Any]:
    """Options that all configs name alike: sizes of pictures and patches, activation, epsilon.

    Raises:
        ExportError: names every unsupported option.
    """
    faults = []
    if config.hidden_act not in ACTIVATIONS:
        faults.append(f"hidden_act {config.hidden_act!r}")
    if getattr(config, "num_channels", 3) != 3:
        faults.append(f"num_channels {config.num_channels}")
    patch = _pair(config.patch_size)
    if patch[0] != patch[1]:
        faults.append(f"patch_size {patch[0]} x {patch[1]}")
    if faults:
        raise ExportError(f"this {config.model_type} encoder has unsupported options: {'; '.join(faults)}")
    height, width = _pair(config.image_size)
    return {
        "image_height": height,
        "image_width": width,
        "patch_size": patch[0],
        "activation": ACTIVATIONS[config.hidden_act],
        "norm_epsilon": config.layer_norm_eps,
    }


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


ENCODERS: Mapping[str, Callable[[Any, Weights], PictureEncoder]] = {
    "vit": _vit,
    "deit": _deit,
    "beit": _beit,
    "swin": _swin,
    "donut-swin": _donut_swin,
}
