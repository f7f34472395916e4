"""An encoder of a picture with a text: fuses a vision transformer's regions with BERT's words.

    [w'; v'] = fusion(BERT(text), ViT(picture))

A decoder attends to both, words first. Each picture may have its own text; the default is the config's prompt.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from regard_models.nets.bert import BertConfig, BertEncoder
from regard_models.nets.cross_modal import CrossModalConfig, CrossModalFusion
from regard_models.nets.vision_transformer import VisionTransformer, VisionTransformerConfig


@dataclass(frozen=True)
class PromptedVisionConfig:
    """The architecture.

    Attributes:
        prompt: ids of the default text; at least one.
    """

    vision: VisionTransformerConfig
    text: BertConfig
    fusion: CrossModalConfig
    prompt: tuple[int, ...]

    @property
    def width(self) -> int:
        """Width of the states."""
        return self.fusion.width

    @property
    def num_positions(self) -> int:
        """Number of words of the prompt and of the vision transformer's positions."""
        return len(self.prompt) + self.vision.num_positions

    def to_json(self) -> dict[str, Any]:
        """The options for a checkpoint's config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> "PromptedVisionConfig":
        """The inverse of `to_json`."""
        return cls(
            vision=VisionTransformerConfig.from_json(options["vision"]),
            text=BertConfig.from_json(options["text"]),
            fusion=CrossModalConfig(**options["fusion"]),
            prompt=tuple(options["prompt"]),
        )


class PromptedVision(nn.Module):
    """Two encoders and their fusion.

    Args:
        config: the architecture.
        dropout: probability, in training only, of all parts.

    Raises:
        ValueError: the fusion's input widths are not its encoders'.
    """

    def __init__(self, config: PromptedVisionConfig, *, dropout: float = 0.0) -> None:
        super().__init__()
        if (config.vision.width, config.text.width) != (config.fusion.region_width, config.fusion.text_width):
            raise ValueError("the fusion's region_width and text_width are not its encoders'")
        self.config = config
        self.vision = VisionTransformer(config.vision, dropout=dropout)
        self.text = BertEncoder(config.text, dropout=dropout)
        self.fusion = CrossModalFusion(config.fusion, dropout=dropout)

    def forward(self, pixels: Tensor, text: Tensor | None = None, text_mask: Tensor | None = None) -> Tensor:
        """Encodes pictures with their texts.

        Args:
            pixels: float [batch, 3, height, width].
            text: int64 [batch, text]; None means the prompt.
            text_mask: bool [batch, text], False on padding; None means no padding.

        Returns:
            states: float [batch, text + positions, width].
        """
        if text is None:
            text = torch.tensor(self.config.prompt, device=pixels.device).expand(len(pixels), -1)
        words, _ = self.text(text, text_mask)
        regions, _ = self.vision(pixels)
        fused = self.fusion(regions, words, None, text_mask)
        return torch.cat([fused.text, fused.regions], dim=1)
