"""Cross-modal fusion: the regions of a picture and the words of a text attend to each other.

A layer is the cross-modality layer of LXMERT (Tan & Bansal 2019, section 2.2): cross-attention both ways, then each
side's own self-attention and feed-forward sublayers,

    v' = LN(v + MHA(v, w, w)),   w' = LN(w + MHA(w, v, v)),   v'' = layer(v'),   w'' = layer(w')

with separate weights for each direction, as in the co-attentional layers of ViLBERT (Lu et al. 2019, section 2.2).
Both directions read the inputs of the layer. The self-attention layers are those of `transformer.py`.
"""

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from regard_models.nets.transformer import Activation, EncoderLayer, Sublayer, TransformerConfig, attention


@dataclass(frozen=True)
class CrossModalConfig:
    """The architecture; `region_width` and `text_width` are widths of the inputs, `width` is that of all layers."""

    width: int
    num_heads: int
    num_layers: int
    feed_forward_width: int
    region_width: int
    text_width: int
    norm: Literal["pre", "post"] = "post"
    activation: Activation = "gelu"
    norm_epsilon: float = 1e-12

    @property
    def layers(self) -> TransformerConfig:
        """The configuration of the sublayers of either side."""
        return TransformerConfig(
            vocab_size=0,
            width=self.width,
            num_heads=self.num_heads,
            encoder_layers=self.num_layers,
            decoder_layers=0,
            feed_forward_width=self.feed_forward_width,
            norm=self.norm,
            activation=self.activation,
            final_norm=False,
            norm_epsilon=self.norm_epsilon,
            tie_embeddings=False,
        )


@dataclass(frozen=True)
class CrossModalOutput:
    """The states of both sides.

    Attributes:
        regions: float [batch, regions, width].
        text: float [batch, text, width].
        regions_to_text: one float [batch, heads, regions, text] per layer: attention of regions to the text; empty
            unless requested.
        text_to_regions: one float [batch, heads, text, regions] per layer, likewise.
        regions_to_regions, text_to_text: the self-attention of each side, likewise.
    """

    regions: Tensor
    text: Tensor
    regions_to_text: list[Tensor] = field(default_factory=list)
    text_to_regions: list[Tensor] = field(default_factory=list)
    regions_to_regions: list[Tensor] = field(default_factory=list)
    text_to_text: list[Tensor] = field(default_factory=list)


class CrossModalSide(nn.Module):
    """One side's half of a layer."""

    def __init__(self, config: CrossModalConfig, dropout: float) -> None:
        super().__init__()
        self.cross_attention = attention(config.layers)
        self.cross_attention_sublayer = Sublayer(config.layers, dropout)
        self.layer = EncoderLayer(config.layers, dropout)

    def forward(
        self, x: Tensor, other: Tensor, mask: Tensor | None, other_mask: Tensor | None, *, need_weights: bool
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Returns the new states, and the weights of cross- and of self-attention.

        x: float [batch, n, width]; other: float [batch, m, width]; masks: bool [batch, 1, 1, n or m].
        """
        y = self.cross_attention_sublayer.before(x)
        update, weights = self.cross_attention(y, other, other_mask, need_weights=need_weights)
        x, own_weights = self.layer(self.cross_attention_sublayer.after(x, update), mask, need_weights=need_weights)
        return x, weights, own_weights


class CrossModalFusion(nn.Module):
    """Projections to one width, and layers in which the sides attend to each other.

    Args:
        config: the architecture.
        dropout: probability, in training only: on every sublayer's output.
    """

    def __init__(self, config: CrossModalConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.region_projection = nn.Linear(config.region_width, config.width)
        self.text_projection = nn.Linear(config.text_width, config.width)
        self.regions = nn.ModuleList(CrossModalSide(config, dropout) for _ in range(config.num_layers))
        self.text = nn.ModuleList(CrossModalSide(config, dropout) for _ in range(config.num_layers))

    def forward(
        self,
        regions: Tensor,
        text: Tensor,
        region_mask: Tensor | None = None,
        text_mask: Tensor | None = None,
        *,
        need_weights: bool = False,
    ) -> CrossModalOutput:
        """Runs all layers.

        Args:
            regions: float [batch, regions, region width].
            text: float [batch, text, text width].
            region_mask, text_mask: bool [batch, regions] and [batch, text], False on padding; None means that there
                is none.
        """
        v, w = self.region_projection(regions), self.text_projection(text)
        v_mask, w_mask = (None if mask is None else mask[:, None, None] for mask in (region_mask, text_mask))
        weights: tuple[list[Tensor], ...] = ([], [], [], [])
        for region_side, text_side in zip(self.regions, self.text, strict=True):
            new_v, v_to_w, v_to_v = region_side(v, w, v_mask, w_mask, need_weights=need_weights)
            new_w, w_to_v, w_to_w = text_side(w, v, w_mask, v_mask, need_weights=need_weights)
            v, w = new_v, new_w
            if need_weights:
                for kept, each in zip(weights, (v_to_w, w_to_v, v_to_v, w_to_w), strict=True):
                    kept.append(each)
        return CrossModalOutput(v, w, *weights)
