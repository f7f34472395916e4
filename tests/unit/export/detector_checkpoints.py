"""Checkpoints of `transformers` that find objects, with random weights."""

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import DetrImageProcessor, ResNetConfig

KINDS = {"detr": "Detr", "conditional_detr": "ConditionalDetr", "table-transformer": "TableTransformer"}
LABELS = {0: "cat", 1: "dog", 2: "N/A", 3: "N/A"}
SIDE = 100  # no multiple of the stride


def write_detector(folder: Path, kind: str, *, layer_type: str = "basic", **options: Any) -> Path:
    """Writes a detector for pictures of 100 x 100 pixels, whose grid is 13 x 13. Returns the folder."""
    sizes: dict[str, Any] = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [2, 1], "out_features": ["stage2"]}
    backbone = ResNetConfig(**sizes, layer_type=layer_type)
    config = getattr(transformers, f"{KINDS[kind]}Config")(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=backbone,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=4,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        num_queries=7,
        id2label=LABELS,
        **options,
    )
    return save_random(folder, getattr(transformers, f"{KINDS[kind]}ForObjectDetection")(config), SIDE)


def write_yolos(folder: Path, *, has_positions_between: bool) -> Path:
    """Writes a YOLOS for pictures of 32 x 48 pixels, whose grid is 2 x 3. Returns the folder."""
    config = transformers.YolosConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=[32, 48],
        num_detection_tokens=5,
        id2label=LABELS,
        use_mid_position_embeddings=has_positions_between,
    )
    return save_random(folder, transformers.YolosForObjectDetection(config), 64)


def save_random(folder: Path, net: Any, side: int) -> Path:
    """Draws weights that make queries differ, and writes the net and its image processor."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in [*net.named_parameters(), *net.named_buffers()]:
        if parameter.dtype.is_floating_point:
            scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.1
            drawn = torch.randn(parameter.shape, generator=generator) * scale
            is_gain = "norm" in name and name.endswith(("weight", "running_var"))
            parameter.data.copy_(1 + drawn.abs() if is_gain else drawn)
    net.save_pretrained(folder)
    DetrImageProcessor(size={"shortest_edge": side, "longest_edge": 2 * side}).save_pretrained(folder)
    return folder
