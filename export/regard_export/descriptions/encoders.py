"""Encoders that are no `Transformer`'s, described as export needs them."""

from dataclasses import dataclass, field

from regard_models.nets.bert import BertConfig, BertEncoder
from regard_models.nets.cross_modal import CrossModalConfig, CrossModalFusion
from regard_models.nets.swin import Swin, SwinConfig
from regard_models.nets.transformer import Side
from regard_models.nets.vision_transformer import VisionTransformer, VisionTransformerConfig

from regard.arrays import Float32Array
from regard_export.descriptions.transformer import Description


@dataclass(frozen=True)
class VisionDescription(Description):
    """A `VisionTransformer` by its parameter names; `config` says what its layers are."""

    vision: VisionTransformerConfig = field(kw_only=True)

    def net(self) -> VisionTransformer:
        return VisionTransformer(self.vision)


@dataclass(frozen=True)
class SwinDescription(Description):
    """A `Swin` by its parameter names; `config` says what its last stage's layers are."""

    swin: SwinConfig = field(kw_only=True)

    def net(self) -> Swin:
        return Swin(self.swin)


@dataclass(frozen=True)
class BertDescription(Description):
    """A `BertEncoder` by its parameter names, for sources of one segment; `config` says what its layers are."""

    bert: BertConfig = field(kw_only=True)

    def net(self) -> BertEncoder:
        return BertEncoder(self.bert)

    def positions(self, side: Side) -> Float32Array:
        """Positions and the first segment: float32 [max_positions, width]."""
        table: Float32Array = self.weights["encoder_positions.weight"] + self.weights["segments.weight"][0]
        return table


@dataclass(frozen=True)
class FusionDescription(Description):
    """A `CrossModalFusion` by its parameter names; `config` says what its sublayers are."""

    fusion: CrossModalConfig = field(kw_only=True)

    def net(self) -> CrossModalFusion:
        return CrossModalFusion(self.fusion)
