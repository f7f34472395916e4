"""Show, Attend and Tell (Xu et al. 2015, "Show, Attend and Tell: Neural Image Caption Generation with Visual
Attention"): an LSTM that attends to the encoder's grid before every token.

    h_0 = tanh(W_h mean_i a_i),  c_0 = tanh(W_c mean_i a_i)                             (section 3.1.2)
    alpha_t = softmax_i(v^T tanh(W h_{t-1} + U a_i))                                    (equations 4 and 5)
    z_t = beta_t sum_i alpha_ti a_i,  beta_t = sigmoid(w^T h_{t-1})                     (section 4.2.1)
    h_t, c_t = LSTM([E y_{t-1}; z_t], h_{t-1}, c_{t-1})                                 (equations 1 to 3)
    p(y_t) = softmax(L_o tanh(E y_{t-1} + L_h h_t + L_z z_t))                           (equation 7)

a_i is the encoder's feature at position i, projected; hard attention takes one of them in place of the sum (section
4.1). The tanh before L_o is that of the authors' code.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from regard_models.attention.additive import AdditiveScore
from regard_models.attention.hard import HardAttention, MovingBaseline
from regard_models.attention.soft import SoftAttention
from regard_models.attention.straight_through import StraightThroughAttention
from regard_models.nets.captioner import Block, Captioner, CaptionOutput, CaptionStep, Tensors
from regard_models.nets.efficientnet import EfficientNetConfig

Attention = SoftAttention | HardAttention | StraightThroughAttention
ATTENTIONS: dict[str, type[Attention]] = {
    "soft": SoftAttention,
    "hard": HardAttention,
    "straight_through": StraightThroughAttention,
}


@dataclass(frozen=True)
class LstmCaptionerConfig:
    """The architecture.

    Attributes:
        embedding_width: width of token embeddings, and of the layer before the logits.
        hidden_width: width of the LSTM.
        memory_width: width of the projected features.
        attention_width: width of the layer inside the additive score.
        attention: "soft"; "hard", trained by draws; "straight_through", hard but with the gradient of soft attention.
        blocks: attention within the feature map.
    """

    vocab_size: int
    embedding_width: int = 256
    hidden_width: int = 512
    memory_width: int = 512
    attention_width: int = 256
    attention: Literal["soft", "hard", "straight_through"] = "soft"
    encoder: EfficientNetConfig = field(default_factory=EfficientNetConfig)
    blocks: tuple[Block, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "LstmCaptionerConfig":
        """The inverse of `to_json`."""
        read = {"encoder": EfficientNetConfig.from_json(options["encoder"]), "blocks": tuple(options["blocks"])}
        return cls(**{**options, **read})


@dataclass(frozen=True)
class Draws:
    """The draws of hard attention, one per token: float [images, captions, target]; see `HardSample`."""

    log_prob: Tensor
    entropy: Tensor


@dataclass(frozen=True)
class _Position:
    """One position of several captions per image.

    Attributes:
        logits: float [images, captions, vocabulary].
        weights: float [images, captions, positions].
        hidden, cell: float [images, captions, hidden_width].
        log_prob, entropy: float [images, captions], of hard attention's draws.
    """

    logits: Tensor
    weights: Tensor
    hidden: Tensor
    cell: Tensor
    log_prob: Tensor | None = None
    entropy: Tensor | None = None


class LstmCaptioner(Captioner):
    """Feature map, attention, LSTM.

    The memory is the projected features, float [images, positions, memory_width], the score's keys of them, float
    [images, positions, attention_width], and the first h and c, float [images, hidden_width]; the state is h and c,
    float [rows, hidden_width].

    Args:
        config: the architecture.
        dropout: probability, in training only: on embeddings, projected features and the layer before the logits.
        feature_dropout: likewise, on the encoder's features.
    """

    def __init__(self, config: LstmCaptionerConfig, *, dropout: float = 0.0, feature_dropout: float = 0.0) -> None:
        super().__init__(config.encoder, config.blocks)
        self.config = config
        self.dropout, self.feature_dropout = nn.Dropout(dropout), nn.Dropout(feature_dropout)
        self.bridge = nn.Linear(config.encoder.head_channels, config.memory_width)
        self.first_hidden = nn.Linear(config.memory_width, config.hidden_width)
        self.first_cell = nn.Linear(config.memory_width, config.hidden_width)
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_width)
        score = AdditiveScore(config.hidden_width, config.memory_width, config.attention_width, bias=True)
        self.attention: Attention = ATTENTIONS[config.attention](score)
        self.baseline = MovingBaseline()  # for the training of hard attention
        self.gate = nn.Linear(config.hidden_width, 1)
        self.lstm = nn.LSTMCell(config.embedding_width + config.memory_width, config.hidden_width)
        self.from_hidden = nn.Linear(config.hidden_width, config.embedding_width)
        self.from_context = nn.Linear(config.memory_width, config.embedding_width, bias=False)
        self.head = nn.Linear(config.embedding_width, config.vocab_size)
        nn.init.normal_(self.embedding.weight, std=config.embedding_width**-0.5)

    def forward(self, features: Tensor, target: Tensor) -> CaptionOutput:
        """See `Captioner.forward`."""
        return self.forward_with_draws(features, target)[0]

    def forward_with_draws(self, features: Tensor, target: Tensor) -> tuple[CaptionOutput, Draws | None]:
        """Like `forward`; in training with hard attention also returns the draws, which its loss needs."""
        memory, keys, hidden, cell = self.memory(features)
        captions = target.shape[1]
        hidden, cell = (x[:, None].expand(-1, captions, -1) for x in (hidden, cell))
        outputs: list[_Position] = []
        for tokens in target.unbind(2):
            outputs.append(self._position(tokens, memory, keys, hidden, cell))
            hidden, cell = outputs[-1].hidden, outputs[-1].cell
        logits = torch.stack([output.logits for output in outputs], dim=2)
        weights = torch.stack([output.weights for output in outputs], dim=2)[:, :, None]
        log_probs = [output.log_prob for output in outputs if output.log_prob is not None]
        entropies = [output.entropy for output in outputs if output.entropy is not None]
        draws = Draws(torch.stack(log_probs, dim=2), torch.stack(entropies, dim=2)) if log_probs else None
        return CaptionOutput(logits, [weights]), draws

    def memory(self, features: Tensor) -> Tensors:
        """See `Captioner.memory` and the class for the tensors."""
        memory = self.dropout(torch.relu(self.bridge(self.feature_dropout(self.positions(features)))))
        mean = memory.mean(1)
        first = torch.tanh(self.first_hidden(mean)), torch.tanh(self.first_cell(mean))
        return memory, self.attention.score.prepare(memory), *first

    def start(self, memory: Tensors) -> Tensors:
        """See `Captioner.start`."""
        return memory[2:]

    def step(self, tokens: Tensor, memory: Tensors, state: Tensors) -> CaptionStep:
        """See `Captioner.step`."""
        output = self._position(tokens[:, None], *memory[:2], *(x[:, None] for x in state))
        state = output.hidden.squeeze(1), output.cell.squeeze(1)
        return CaptionStep(output.logits.squeeze(1), [output.weights], state)

    def _position(self, tokens: Tensor, memory: Tensor, keys: Tensor, hidden: Tensor, cell: Tensor) -> _Position:
        """tokens: int64 [images, captions]; hidden, cell: float [images, captions, hidden_width]."""
        log_prob = entropy = None
        if isinstance(self.attention, HardAttention) and self.training:
            drawn = self.attention.sample(hidden, memory, keys=keys, expected_share=0.5)
            context, weights, log_prob, entropy = drawn.context, drawn.weights, drawn.log_prob, drawn.entropy
        else:
            context, weights = self.attention(hidden, memory, keys=keys)
        context = torch.sigmoid(self.gate(hidden)) * context
        embedded = self.dropout(self.embedding(tokens))
        inputs = torch.cat([embedded, context], dim=-1)
        flat = self.lstm(inputs.flatten(0, 1), (hidden.flatten(0, 1), cell.flatten(0, 1)))
        hidden, cell = (x.unflatten(0, tokens.shape) for x in flat)
        deep = torch.tanh(embedded + self.from_hidden(hidden) + self.from_context(context))
        return _Position(self.head(self.dropout(deep)), weights, hidden, cell, log_prob, entropy)


def doubly_stochastic_penalty(weights: Tensor, mask: Tensor) -> Tensor:
    """sum_i (1 - sum_t alpha_ti)^2, mean over captions (Xu et al. 2015, equation 14): spreads attention over all.

    Args:
        weights: float [images, captions, target, positions].
        mask: bool [images, captions, target]; False on padding.
    """
    looked_at = (weights * mask[..., None]).sum(2)  # [images, captions, positions]
    penalties = ((1 - looked_at) ** 2).sum(-1)
    return penalties[mask.any(2)].mean()
