"""YOLOS of `transformers`, mapped to this project's vision transformer.

Its detection tokens are the last positions; ours stand behind the class token. Attention does not know the order.
"""

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.detection_tokens import DetectionTokensArchitecture, DetectionTokensHead
from regard_export.architectures.vision_transformer import VisionEncoder
from regard_export.checkpoints.weight_names import WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.encoders import VisionDescription
from regard_export.descriptions.layers import Linear, Weights
from regard_export.families.hugging_face.vision_encoders import vision_config

LAYER = {
    **{f"self_attention.{kind}": f"attention.attention.{kind}" for kind in ("query", "key", "value")},
    "self_attention.output": "attention.output.dense",
    "self_attention_sublayer.norm": "layernorm_before",
    "feed_forward_sublayer.norm": "layernorm_after",
    "feed_forward.inner": "intermediate.dense",
    "feed_forward.outer": "output.dense",
}
NUM_HEAD_LAYERS = 3
BETWEEN = "vit.encoder.interpolation.mid_position_embeddings"


def picture_size(config: Any) -> tuple[int, int]:
    """Height and width of the pictures that the positions were learned for; the net leaves out what is no patch."""
    size, patch = config.image_size, config.patch_size
    height, width = (size, size) if isinstance(size, int) else size
    return height // patch * patch, width // patch * patch


def architecture_of(net: Any, height: int, width: int) -> DetectionTokensArchitecture:
    """Maps a net. Raises ExportError: names every unsupported option."""
    config, theirs = copy(net.config), {name: x.numpy() for name, x in net.state_dict().items()}
    config.image_size = [height, width]
    tokens = config.num_detection_tokens
    vision = vision_config(config, class_tokens=1 + tokens)
    vision = replace(vision, positions_between=BETWEEN in theirs)
    weights = _weights(vision.num_layers, theirs, tokens)
    labels, boxes = (
        tuple(Linear.of(theirs, f"{head}.layers.{layer}") for layer in range(NUM_HEAD_LAYERS))
        for head in ("class_labels_classifier", "bbox_predictor")
    )
    return DetectionTokensArchitecture(
        VisionEncoder(VisionDescription(vision.layers, weights, vision=vision)),
        DetectionTokensHead(labels, boxes, first=1, number=tokens),
    )


def _weights(num_layers: int, theirs: Weights, tokens: int) -> dict[str, Float32Array]:
    """The weights under the names of `VisionTransformer`."""
    names = {"patches": "vit.embeddings.patch_embeddings.projection", "encoder_norm": "vit.layernorm"}
    ours = renamed(theirs, names, WEIGHT_AND_BIAS)
    starts = [theirs[f"vit.embeddings.{name}"][0] for name in ("cls_token", "detection_tokens")]
    ours["class_tokens"] = np.concatenate(starts)
    ours["positions"] = _in_our_order(theirs["vit.embeddings.position_embeddings"][0], tokens)
    if BETWEEN in theirs:
        ours["positions_between"] = np.stack([_in_our_order(table, tokens) for table in theirs[BETWEEN][:, 0]])
    for layer in range(num_layers):
        ours |= renamed(theirs, LAYER, WEIGHT_AND_BIAS, f"encoder.{layer}.", f"vit.encoder.layer.{layer}.")
    return ours


def _in_our_order(table: Float32Array, tokens: int) -> Float32Array:
    """float32 [positions, width]: class token, patches, detection tokens -> class token, detection tokens, patches."""
    return np.concatenate([table[:1], table[-tokens:], table[1:-tokens]])
