"""Channel attention: squeeze and excitation (Hu et al. 2018, "Squeeze-and-Excitation Networks", section 3).

    z_c = mean over positions of x_c      (squeeze, equation 2)
    g = sigmoid(W_2 relu(W_1 z))          (excitation, equation 3)
    y_c = g_c x_c                         (equation 4)

Passes the channels that are relevant for an image and damps the others.
"""

import torch
from torch import Tensor, nn

from regard_models.attention.masking import masked_mean


class SqueezeExcitation(nn.Module):
    """One gate per channel, from the means of all channels.

    Args:
        channels: channels of the feature map.
        reduction: r; the hidden layer is `channels / r` wide, at least 1.
    """

    def __init__(self, channels: int, *, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Weighs the channels.

        Args:
            features: float [batch, channels, height, width].
            mask: bool [batch, 1, height, width]; False on padding, which does not count in the mean.

        Returns:
            context: float [batch, channels, height, width]; 0 on padding.
            weights: float [batch, channels]; the gates, each between 0 and 1. For an image that is all padding, the
                biases alone determine them.
        """
        pooled = masked_mean(features, mask, (2, 3))  # [batch, channels]
        weights = torch.sigmoid(self.excite(torch.relu(self.squeeze(pooled))))
        context = features * weights[:, :, None, None]
        return context if mask is None else context.masked_fill(~mask, 0.0), weights
