"""A captioner with a transformer decoder (Vaswani et al. 2017) over the encoder's grid, as in Cornia et al. 2020,
"Meshed-Memory Transformer for Image Captioning", without its meshes and memories.

    m_i = encoder layers (W a_i + p_i),   a_i the feature at position i, p_i learned

The decoder has the parameters of the decoder in `models/regard_models/nets/transformer.py`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from regard_models.attention.heads import split_heads
from regard_models.attention.multi_head import MultiHeadAttention
from regard_models.attention.soft import attend
from regard_models.nets.captioner import Block, Captioner, CaptionOutput, CaptionStep, Tensors
from regard_models.nets.efficientnet import EfficientNetConfig
from regard_models.nets.transformer import DecoderLayer, Transformer, TransformerConfig


@dataclass(frozen=True)
class TransformerCaptionerConfig:
    """The architecture.

    Attributes:
        transformer: its encoder layers, if any, read the grid in place of embedded tokens.
        blocks: attention within the feature map.
    """

    transformer: TransformerConfig
    encoder: EfficientNetConfig = field(default_factory=EfficientNetConfig)
    blocks: tuple[Block, ...] = ()

    def __post_init__(self) -> None:
        if self.transformer.positions == "relative":
            raise ValueError("a captioner's positions are sinusoidal or learned; relative ones are for text alone")

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "TransformerCaptionerConfig":
        """The inverse of `to_json`."""
        return cls(
            transformer=TransformerConfig(**options["transformer"]),
            encoder=EfficientNetConfig.from_json(options["encoder"]),
            blocks=tuple(options["blocks"]),
        )


class TransformerCaptioner(Captioner):
    """Feature map, projection, transformer.

    The memory is the cross KV cache of every layer, float [images, heads, positions, head width]; the state is the
    self KV cache of every layer, float [rows, heads, tokens so far, head width].

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings and on every sublayer's output.
        feature_dropout: likewise, on the encoder's features.
    """

    def __init__(
        self, config: TransformerCaptionerConfig, *, dropout: float = 0.0, feature_dropout: float = 0.0
    ) -> None:
        super().__init__(config.encoder, config.blocks)
        self.config = config
        width = config.transformer.width
        self.feature_dropout = nn.Dropout(feature_dropout)
        self.bridge = nn.Linear(config.encoder.head_channels, width)
        self.grid_positions = nn.Parameter(torch.randn(config.encoder.grid**2, width) * 0.02)
        self.transformer = Transformer(config.transformer, dropout=dropout)

    def states(self, features: Tensor) -> Tensor:
        """The input of cross-attention: float [images, positions, width]."""
        x = self.bridge(self.feature_dropout(self.positions(features))) + self.grid_positions
        return self.transformer.encode_embedded(self.transformer.dropout(x), None)[0]

    def forward(self, features: Tensor, target: Tensor) -> CaptionOutput:
        """See `Captioner.forward`."""
        images, captions, length = target.shape
        net, memory = self.transformer, self.states(features)
        # The target axis concatenates the captions of an image, so that cross-attention projects its memory once.
        x = net.embed(target.flatten(0, 1), "decoder").reshape(images, captions * length, -1)
        causal = torch.ones(length, length, dtype=torch.bool, device=target.device).tril()
        own_caption = torch.eye(captions, dtype=torch.bool, device=target.device)
        mask = torch.kron(own_caption, causal)  # [captions * target, captions * target]
        all_weights = []
        for layer in net.decoder:
            x, _, weights = layer(x, memory, mask, None, need_weights=True)
            all_weights.append(weights.unflatten(2, (captions, length)).transpose(1, 2))
        logits = net.logits(net.decoder_norm(x)).unflatten(1, (captions, length))
        return CaptionOutput(logits, all_weights)

    def memory(self, features: Tensor) -> Tensors:
        """See `Captioner.memory` and the class for the tensors."""
        states = self.states(features)
        return tuple(
            split_heads(project(states), self.config.transformer.num_heads)
            for layer in self._layers()
            for project in (layer.cross_attention.key, layer.cross_attention.value)
        )

    def start(self, memory: Tensors) -> Tensors:
        """See `Captioner.start`."""
        return tuple(keys_or_values[:, :, :0] for keys_or_values in memory)

    def step(self, tokens: Tensor, memory: Tensors, state: Tensors) -> CaptionStep:
        """See `Captioner.step`."""
        net = self.transformer
        x = net.embed(tokens[:, None], "decoder", first_position=state[0].shape[2])
        new_state: list[Tensor] = []
        all_weights = []
        for index, layer in enumerate(self._layers()):
            pair = slice(2 * index, 2 * index + 2)
            y = layer.self_attention_sublayer.before(x)
            _, *new = layer.self_attention.project(y, y)
            new_state += [torch.cat([past, last], dim=2) for past, last in zip(state[pair], new, strict=True)]
            update, _ = _attend(layer.self_attention, y, *new_state[pair])
            x = layer.self_attention_sublayer.after(x, update)
            update, weights = _attend(layer.cross_attention, layer.cross_attention_sublayer.before(x), *memory[pair])
            x = layer.cross_attention_sublayer.after(x, update)
            update = layer.feed_forward(layer.feed_forward_sublayer.before(x))
            x = layer.feed_forward_sublayer.after(x, update)
            all_weights.append(weights.squeeze(2))
        return CaptionStep(net.logits(net.decoder_norm(x)).squeeze(1), all_weights, tuple(new_state))

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.transformer.decoder if isinstance(layer, DecoderLayer)]


def _attend(attention: MultiHeadAttention, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Multi-head attention to given keys and values; x: float [rows, 1, width]."""
    query = split_heads(attention.query(x), attention.num_heads)
    context, weights = attend(query @ keys.transpose(-1, -2) * attention.scale, values)
    return attention.finish(context), weights
