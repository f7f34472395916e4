"""DETR, Conditional DETR and Table Transformer of `transformers`, with their ResNets."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from regard.arrays import Float32Array
from regard_export.checkpoints.weight_names import ACTIVATIONS, WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.detection_transformer import (
    Conditions,
    DetectionTransformerDescription,
    ResidualLayer,
)
from regard_export.descriptions.layers import Weights
from regard_export.errors import ExportError

NORM_EPSILON = 1e-5  # of `DetrFrozenBatchNorm2d`, whatever the config says
STEM = "embedder.embedder"

ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj"}
CONDITIONAL_ATTENTION = {
    "query": "q_content_proj",
    "query_position": "q_pos_proj",
    "query_sine": "q_pos_sine_proj",
    "key": "k_content_proj",
    "key_position": "k_pos_proj",
    "value": "v_proj",
}
# The output projection, and where the feed-forward network is, where they differ from DETR's.
OTHER_NAMES = {"table-transformer": ("out_proj", "")}


def refuse_other_backbones(config: Any) -> None:
    """Raises ExportError unless the backbone is a ResNet of `transformers`."""
    backbone = getattr(config.backbone_config, "model_type", None)
    if backbone != "resnet":
        raise ExportError(
            f"the backbone {backbone} is not supported: it must be a ResNet of transformers, as checkpoints with "
            "use_timm_backbone false have"
        )
    if config.activation_function not in ACTIVATIONS or config.backbone_config.hidden_act != "relu":
        activations = f"{config.activation_function}, {config.backbone_config.hidden_act}"
        raise ExportError(f"unsupported activation functions: {activations}")


@torch.inference_mode()
def describe(net: Any, height: int, width: int) -> DetectionTransformerDescription:
    """Describes a detector for pictures of one size. The net computes its positions for that size."""
    config, found = net.config, _Observed(net)
    net(pixel_values=torch.zeros(1, 3, height, width))
    found.stop()
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    is_conditional = config.model_type == "conditional_detr"
    return DetectionTransformerDescription(
        weights=_weights(config, weights),
        stem=STEM,
        layers=tuple(_residual_layers(config.backbone_config)),
        image_height=height,
        image_width=width,
        grid=found.grid,
        width=config.d_model,
        encoder_layers=config.encoder_layers,
        encoder_heads=config.encoder_attention_heads,
        decoder_layers=config.decoder_layers,
        decoder_heads=config.decoder_attention_heads,
        norm="pre" if config.model_type == "table-transformer" else "post",
        activation=ACTIVATIONS[config.activation_function],
        positions=found.positions,
        queries=weights["model.query_position_embeddings.weight"],
        num_logits=len(weights["class_labels_classifier.weight"]),
        conditions=_conditions(net, found) if is_conditional else None,
    )


class _Observed:
    """What a pass of the net computes that depends on the picture's size alone.

    Attributes:
        grid: rows and columns of the feature map.
        positions: float32 [positions, width].
        sine: float32 [queries, width], of a conditional detector.
    """

    grid: tuple[int, int]
    positions: Float32Array
    sine: Float32Array

    def __init__(self, net: Any) -> None:
        model = net.model
        self._handles = [
            model.input_projection.register_forward_pre_hook(self._read_features),
            model.encoder.register_forward_pre_hook(self._read_positions, with_kwargs=True),
        ]
        if net.config.model_type == "conditional_detr":
            self._handles.append(model.decoder.layers[0].register_forward_pre_hook(self._read_sine))

    def stop(self) -> None:
        """Ends the observation."""
        for handle in self._handles:
            handle.remove()

    def _read_features(self, module: Any, inputs: tuple[Any, ...]) -> None:
        self.grid = inputs[0].shape[-2], inputs[0].shape[-1]

    def _read_positions(self, module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        key = "spatial_position_embeddings" if "spatial_position_embeddings" in named else "object_queries"
        self.positions = named[key][0].numpy()

    def _read_sine(self, module: Any, inputs: tuple[Any, ...]) -> None:
        self.sine = inputs[4][0].numpy()


def _conditions(net: Any, found: _Observed) -> Conditions:
    points = net.model.decoder.ref_point_head(net.model.query_position_embeddings.weight)
    return Conditions(found.sine, points.numpy())


def _residual_layers(config: Any) -> Iterator[ResidualLayer]:
    """The layers up to the feature map that the detector reads."""
    num_stages = config.stage_names.index(config.out_features[-1])
    channels = config.embedding_size
    for stage in range(num_stages):
        for layer in range(config.depths[stage]):
            halves = layer == 0 and (stage > 0 or config.downsample_in_first_stage)
            stride, place = 2 if halves else 1, f"encoder.stages.{stage}.layers.{layer}"
            strides: tuple[int, ...] = (stride, 1)
            if config.layer_type == "bottleneck":
                strides = (stride, 1, 1) if config.downsample_in_bottleneck and layer == 0 else (1, stride, 1)
            has_shortcut = stride != 1 or channels != config.hidden_sizes[stage]
            channels = config.hidden_sizes[stage]
            names = tuple(f"{place}.layer.{index}" for index in range(len(strides)))
            yield ResidualLayer(names, strides, f"{place}.shortcut" if has_shortcut else "", stride)


def _weights(config: Any, theirs: Weights) -> dict[str, Float32Array]:
    """The weights under the description's names."""
    names = {
        "projection": "model.input_projection",
        "encoder_norm": "model.encoder.layernorm",
        "decoder_norm": "model.decoder.layernorm",
        "labels": "class_labels_classifier",
        **{f"boxes.{layer}": f"bbox_predictor.layers.{layer}" for layer in range(3)},
        **{f"query_scale.{layer}": f"model.decoder.query_scale.layers.{layer}" for layer in range(2)},
    }
    for side, num_layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        for layer in range(num_layers):
            names |= _layer_names(f"{side}.{layer}", config.model_type)
    return renamed(theirs, names, WEIGHT_AND_BIAS) | _folded_convolutions(theirs)


def _layer_names(place: str, model_type: str) -> dict[str, str]:
    """Our names to theirs in a layer."""
    side, layer = place.split(".")
    is_conditional = side == "decoder" and model_type == "conditional_detr"
    attention = CONDITIONAL_ATTENTION if is_conditional else ATTENTION
    output, feed_forward = OTHER_NAMES.get(model_type, ("o_proj", "mlp."))
    theirs, names = f"model.{side}.layers.{layer}", dict[str, str]()
    for ours, own in (("self_attention", "self_attn"), ("cross_attention", "encoder_attn")):
        kinds = {**attention, "output": output}
        names |= {f"{place}.{ours}.{kind}": f"{theirs}.{own}.{name}" for kind, name in kinds.items()}
        names[f"{place}.{ours}.norm"] = f"{theirs}.{own}_layer_norm"
    names[f"{place}.feed_forward.inner"] = f"{theirs}.{feed_forward}fc1"
    names[f"{place}.feed_forward.outer"] = f"{theirs}.{feed_forward}fc2"
    names[f"{place}.feed_forward.norm"] = f"{theirs}.final_layer_norm"
    return names


def _folded_convolutions(theirs: Weights) -> dict[str, Float32Array]:
    """The backbone's convolutions with the normalizations behind them, `backbone.NAME.weight` and `.bias`."""
    ours: dict[str, Float32Array] = {}
    for name, weight in theirs.items():
        place, _, end = name.rpartition(".convolution.weight")
        if not place or end:
            continue
        gain, bias, mean, variance = (
            theirs[f"{place}.normalization.{kind}"] for kind in ("weight", "bias", "running_mean", "running_var")
        )
        scale = (gain / np.sqrt(variance + np.float32(NORM_EPSILON))).astype(np.float32)
        own = f"backbone.{place.partition('backbone.')[2].partition('model.')[2]}"
        ours[f"{own}.weight"], ours[f"{own}.bias"] = weight * scale[:, None, None, None], bias - mean * scale
    return ours
