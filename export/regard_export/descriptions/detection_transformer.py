"""Description of DETR and its relatives (Carion et al. 2020, "End-to-End Object Detection with Transformers")."""

from dataclasses import dataclass
from typing import Literal

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Linear, Norm, Weights
from regard_models.nets.transformer_config import Activation


@dataclass(frozen=True)
class ResidualLayer:
    """A layer of a ResNet (He et al. 2016): convolutions beside a shortcut.

    Attributes:
        convolutions: names of the weights, in order.
        strides: of each convolution.
        shortcut: name of the convolution of the shortcut; "" for none.
    """

    convolutions: tuple[str, ...]
    strides: tuple[int, ...]
    shortcut: str
    stride: int


@dataclass(frozen=True)
class DetectionTransformerDescription:
    """A detector with object queries, for pictures of one size.

    The weights have these names: `backbone.X` for the convolutions that `stem` and `layers` name, with normalizations
    folded in; `projection`; `encoder.L` and `decoder.L` with `self_attention`, `cross_attention` (of the decoder),
    each `.query`, `.key`, `.value`, `.output` and `.norm`, and `feed_forward` with `.inner`, `.outer` and `.norm`;
    `encoder_norm` if `has_encoder_norm`, `decoder_norm`, `labels` and `boxes.0` to `boxes.2`.

    Attributes:
        grid: rows and columns of the feature map.
        norm: whether a sublayer's normalization precedes it, or follows the sum.
        positions: float32 [positions, width], added to the queries and keys of the encoder, and to the decoder's keys.
        queries: float32 [queries, width], the same for the decoder's queries.
        conditions: what a conditional detector adds; None for others.
    """

    weights: Weights
    stem: str
    layers: tuple[ResidualLayer, ...]
    image_height: int
    image_width: int
    grid: tuple[int, int]
    width: int
    encoder_layers: int
    encoder_heads: int
    decoder_layers: int
    decoder_heads: int
    norm: Literal["pre", "post"]
    activation: Activation
    positions: Float32Array
    queries: Float32Array
    num_logits: int
    conditions: "Conditions | None" = None

    @property
    def num_positions(self) -> int:
        """Positions of every picture."""
        return self.grid[0] * self.grid[1]

    @property
    def has_encoder_norm(self) -> bool:
        """Whether the encoder's states are normalized."""
        return self.norm == "pre"

    def linear(self, name: str) -> Linear:
        """The layer of that name."""
        return Linear.of(self.weights, name)

    def norm_of(self, name: str) -> Norm:
        """The normalization of that name."""
        return Norm(name, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-5)


@dataclass(frozen=True)
class Conditions:
    """What Conditional DETR adds (Meng et al. 2021, "Conditional DETR for Fast Training Convergence", section 3.2): a
    decoder's queries have a point of the picture, whose sine embedding is scaled by the query's state.

    Its attentions project content and position apart: `.query`, `.key` and `.query_position`, `.key_position`; in
    cross-attention, whose heads read content and position side by side, also `.query_sine`. `query_scale.0` and
    `query_scale.1` scale the embedding.

    Attributes:
        sine: float32 [queries, width], the embedding of the points.
        points: float32 [queries, 2], x and y before the logistic function.
    """

    sine: Float32Array
    points: Float32Array
