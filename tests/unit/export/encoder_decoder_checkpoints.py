"""Small models of this project with random weights: a vision transformer, a BERT or both fused, with a decoder."""

from typing import Any

import torch

from regard_models.checkpoint import Checkpoint
from regard_models.nets.bert import BertConfig
from regard_models.nets.cross_modal import CrossModalConfig
from regard_models.nets.encoder_decoder import EncoderConfig, EncoderDecoder, EncoderDecoderConfig
from regard_models.nets.prompted_vision import PromptedVisionConfig
from regard_models.nets.vision_transformer import VisionTransformerConfig
from tests.unit.export.transformer_checkpoints import LANGUAGES, MAX_TARGET_TOKENS, tiny_config, tiny_tokenizer

SIZES: dict[str, Any] = {"width": 16, "num_heads": 2, "num_layers": 2, "feed_forward_width": 48}
PROMPT = (7, 11, 13)


def tiny_vision(**options: Any) -> VisionTransformerConfig:
    shape = {"image_height": 16, "image_width": 24, "patch_size": 8}
    return VisionTransformerConfig(**{**SIZES, **shape, **options})


def tiny_bert(**options: Any) -> BertConfig:
    sizes = {**SIZES, "vocab_size": tiny_tokenizer().get_vocab_size(), "max_positions": 64}
    return BertConfig(**{**sizes, **options})


def tiny_prompted(**options: Any) -> PromptedVisionConfig:
    vision, text = tiny_vision(), tiny_bert(width=32)
    sizes = {**SIZES, "num_heads": 4, "region_width": vision.width, "text_width": text.width, "norm_epsilon": 1e-5}
    return PromptedVisionConfig(vision, text, CrossModalConfig(**{**sizes, **options}), PROMPT)


def tiny_net(encoder: EncoderConfig, *, seed: int = 0, **options: Any) -> EncoderDecoder:
    """A net with random parameters, biases and normalizations too, so that a missing one changes the result."""
    torch.manual_seed(seed)
    decoder = tiny_config(**{"memory_width": encoder.width, "max_positions": 32, **options})
    net = EncoderDecoder(EncoderDecoderConfig(encoder, decoder)).eval()
    for name, parameter in net.named_parameters():
        is_gain = "norm" in name and name.endswith("weight")
        torch.nn.init.normal_(parameter, mean=1.0 if is_gain else 0.0, std=0.3)
    return net


def tiny_checkpoint(encoder: EncoderConfig, **options: Any) -> Checkpoint:
    net = tiny_net(encoder, **options)
    weights = net.state_dict()
    if net.config.decoder.tie_embeddings:
        del weights["decoder.head.weight"]
    text = isinstance(encoder, BertConfig)
    card = {
        "name": "tiny",
        "task": "translation" if text else "captioning",
        "source_languages": ["en"] if text else [],
        "target_languages": list(LANGUAGES) if text else [],
        "max_target_tokens": MAX_TARGET_TOKENS,
        "generation": {"max_new_tokens": MAX_TARGET_TOKENS},
    }
    return Checkpoint(net.config.to_json(), weights, tiny_tokenizer(), card)
