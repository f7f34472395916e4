"""Descriptions of encoders other than the transformer's own."""

from dataclasses import dataclass, field
from typing import ClassVar

from regard.arrays import Float32Array
from regard_export.descriptions.transformer import TransformerDescription
from regard_models.nets.bert import BertConfig, BertEncoder
from regard_models.nets.cross_modal import CrossModalConfig, CrossModalFusion
from regard_models.nets.swin import Swin, SwinConfig
from regard_models.nets.transformer_config import Side
from regard_models.nets.vision_transformer import VisionTransformer, VisionTransformerConfig


@dataclass(frozen=True)
class VisionDescription(TransformerDescription):
    """A `VisionTransformer` by its parameter names; `config` is that of its layers."""

    has_decoder: ClassVar[bool] = False
    vision: VisionTransformerConfig = field(kw_only=True)

    def net(self) -> VisionTransformer:
        """An untrained `VisionTransformer` of this architecture."""
        return VisionTransformer(self.vision)


@dataclass(frozen=True)
class SwinDescription(TransformerDescription):
    """A `Swin` by its parameter names; `config` is that of its last stage's layers."""

    has_decoder: ClassVar[bool] = False
    swin: SwinConfig = field(kw_only=True)

    def net(self) -> Swin:
        """An untrained `Swin` of this architecture."""
        return Swin(self.swin)


@dataclass(frozen=True)
class BertDescription(TransformerDescription):
    """A `BertEncoder` by its parameter names, for sources of one segment; `config` is that of its layers."""

    has_decoder: ClassVar[bool] = False
    bert: BertConfig = field(kw_only=True)

    def net(self) -> BertEncoder:
        """An untrained `BertEncoder` of this architecture."""
        return BertEncoder(self.bert)

    def positions(self, side: Side) -> Float32Array:
        """Position embeddings plus the first segment's: float32 [max_positions, width]."""
        table: Float32Array = self.weights["encoder_positions.weight"] + self.weights["segments.weight"][0]
        return table


@dataclass(frozen=True)
class FusionDescription(TransformerDescription):
    """A `CrossModalFusion` by its parameter names; `config` is that of its sublayers."""

    has_decoder: ClassVar[bool] = False
    fusion: CrossModalConfig = field(kw_only=True)

    def net(self) -> CrossModalFusion:
        """An untrained `CrossModalFusion` of this architecture."""
        return CrossModalFusion(self.fusion)
