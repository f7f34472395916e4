"""Channel, then spatial attention (Woo et al. 2018, "CBAM: Convolutional Block Attention Module", section 3).

    F' = M_c(F) F,   F'' = M_s(F') F'                                                    (equation 1)
    M_c(F) = sigmoid(MLP(mean over positions of F) + MLP(max over positions of F))       (equation 2)
    M_s(F) = sigmoid(conv_7x7([mean over channels of F; max over channels of F]))        (equation 3)

Channel attention selects what is relevant, spatial attention where it is.
"""

import torch
from torch import Tensor, nn

from regard_models.attention.masking import masked_max, masked_mean


class ChannelAttention(nn.Module):
    """M_c: weights of channels.

    Args:
        channels: channels of the feature map.
        reduction: r; the MLP's middle layer is `channels / r` wide, at least 1.
    """

    def __init__(self, channels: int, *, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Weighs the channels.

        Args:
            features: float [batch, channels, height, width].
            mask: bool [batch, 1, height, width]; False on padding, which is not pooled.

        Returns:
            context: float [batch, channels, height, width]; 0 on padding.
            weights: float [batch, channels]; the gates, each between 0 and 1. For an image that is all padding, the
                biases alone determine them.
        """
        mean, highest = masked_mean(features, mask, (2, 3)), masked_max(features, mask, (2, 3))
        weights = torch.sigmoid(self.mlp(mean) + self.mlp(highest))
        context = features * weights[:, :, None, None]
        return context if mask is None else context.masked_fill(~mask, 0.0), weights


class SpatialAttention(nn.Module):
    """M_s: weights of positions.

    Args:
        kernel_size: size of the convolution; odd.
    """

    def __init__(self, *, kernel_size: int = 7) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size {kernel_size} is not odd, and the gates would not lie over the features")
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Weighs the positions.

        Args:
            features: float [batch, channels, height, width].
            mask: bool [batch, 1, height, width]; False on padding, which is zero for the convolution.

        Returns:
            context: float [batch, channels, height, width]; 0 on padding.
            weights: float [batch, height, width]; the gates, each between 0 and 1; 0 on padding.
        """
        if mask is not None:
            features = features.masked_fill(~mask, 0.0)
        pooled = torch.stack([features.mean(1), features.amax(1)], dim=1)  # [batch, 2, height, width]
        weights = torch.sigmoid(self.conv(pooled))  # [batch, 1, height, width]
        if mask is not None:
            weights = weights.masked_fill(~mask, 0.0)
        return features * weights, weights.squeeze(1)


class ConvolutionalBlockAttention(nn.Module):
    """Channel attention followed by spatial attention.

    Args:
        channels, reduction: as in `ChannelAttention`.
        kernel_size: as in `SpatialAttention`.
    """

    def __init__(self, channels: int, *, reduction: int = 16, kernel_size: int = 7) -> None:
        super().__init__()
        self.channel = ChannelAttention(channels, reduction=reduction)
        self.spatial = SpatialAttention(kernel_size=kernel_size)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Weighs the channels, then the positions. Arguments as in `SpatialAttention.forward`.

        Returns:
            context: float [batch, channels, height, width]; 0 on padding.
            weights: float [batch, channels, height, width]; the product of both gates, so context = weights features.
        """
        features, channel_weights = self.channel(features, mask)
        context, spatial_weights = self.spatial(features, mask)
        return context, channel_weights[:, :, None, None] * spatial_weights[:, None]
