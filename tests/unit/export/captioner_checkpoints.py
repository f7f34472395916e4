"""Small captioners with random weights: each decoder, each kind of attention, each block."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from regard_models.checkpoint import Checkpoint
from regard_models.nets.captioner import Block, Captioner
from regard_models.nets.captioner_family import CaptionerConfig, build, stored_weights, write_config
from regard_models.nets.captioner_lstm import LstmCaptionerConfig
from regard_models.nets.captioner_transformer import TransformerCaptionerConfig
from regard_models.nets.efficientnet import EfficientNetConfig, Stage
from tests.unit.export.transformer_checkpoints import MAX_TARGET_TOKENS, tiny_config, tiny_tokenizer

# Every kind of block: with and without expansion, both strides and kernels, with and without a residual connection.
TINY_ENCODER = EfficientNetConfig(
    image_size=32,
    stem_channels=4,
    stages=(
        Stage(expansion=1, kernel=3, stride=1, channels=4, repeats=1),
        Stage(expansion=2, kernel=5, stride=2, channels=6, repeats=2),
        Stage(expansion=2, kernel=3, stride=2, channels=8, repeats=1),
    ),
    head_channels=16,
)
ALL_BLOCKS: tuple[Block, ...] = ("squeeze_excitation", "spatial", "non_local")


def tiny_lstm(**options: object) -> LstmCaptionerConfig:
    config = LstmCaptionerConfig(
        vocab_size=tiny_tokenizer().get_vocab_size(),
        embedding_width=32,
        hidden_width=48,
        memory_width=32,
        attention_width=16,
        encoder=TINY_ENCODER,
    )
    return replace(config, **options)  # type: ignore[arg-type]


def tiny_transformer(*, blocks: tuple[Block, ...] = (), **options: object) -> TransformerCaptionerConfig:
    return TransformerCaptionerConfig(tiny_config(**options), TINY_ENCODER, blocks)


def tiny_captioner(config: CaptionerConfig, *, seed: int = 0) -> Captioner:
    """A net with random parameters, biases and normalizations too, so that a missing one changes the result."""
    torch.manual_seed(seed)
    net = build(config).eval()
    for name, parameter in net.named_parameters():
        is_gain = "norm" in name and name.endswith("weight")
        torch.nn.init.normal_(parameter, mean=1.0 if is_gain else 0.0, std=0.3)
    return net


def tiny_captioner_checkpoint(config: CaptionerConfig, *, seed: int = 0) -> Checkpoint:
    card = {
        "name": "tiny",
        "task": "captioning",
        "max_target_tokens": MAX_TARGET_TOKENS,
        "generation": {"max_new_tokens": MAX_TARGET_TOKENS},
    }
    return Checkpoint(write_config(config), stored_weights(tiny_captioner(config, seed=seed)), tiny_tokenizer(), card)


def tiny_pixels(num_images: int, *, seed: int = 0) -> list[NDArray[np.float32]]:
    size = TINY_ENCODER.image_size
    values = np.random.default_rng(seed).uniform(-1, 1, (num_images, 3, size, size))
    return list(values.astype(np.float32))
