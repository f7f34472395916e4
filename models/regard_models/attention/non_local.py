"""The non-local block (Wang et al. 2018, "Non-local Neural Networks", section 3).

    z_i = W y_i + x_i,   y_i = sum_j f(x_i, x_j) g(x_j) / C(x)                           (equations 1 and 6)
    embedded Gaussian: f = exp(theta(x_i)^T phi(x_j)), C = sum_j f: a softmax            (equation 3)
    dot product:       f = theta(x_i)^T phi(x_j),      C = the number of positions       (equation 4)

Self-attention over the positions of a feature map. W is initially 0, so a new block is the identity and can be added to
a trained network.
"""

from typing import Literal

from torch import Tensor, nn

from regard_models.attention.masking import masked_softmax

Affinity = Literal["embedded_gaussian", "dot_product"]


class NonLocalBlock(nn.Module):
    """Self-attention over the positions of a feature map, added to it.

    Args:
        channels: channels of the feature map.
        inner_channels: of theta, phi and g; None means half, as in the paper.
        affinity: f and C.
    """

    def __init__(
        self, channels: int, *, inner_channels: int | None = None, affinity: Affinity = "embedded_gaussian"
    ) -> None:
        super().__init__()
        inner = max(1, channels // 2) if inner_channels is None else inner_channels
        self.affinity = affinity
        self.query = nn.Conv2d(channels, inner, 1)  # theta
        self.key = nn.Conv2d(channels, inner, 1)  # phi
        self.value = nn.Conv2d(channels, inner, 1)  # g
        self.output = nn.Conv2d(inner, channels, 1)  # W
        nn.init.zeros_(self.output.weight)
        if self.output.bias is not None:
            nn.init.zeros_(self.output.bias)

    def forward(self, features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Lets every position attend to every position.

        Args:
            features: float [batch, channels, height, width].
            mask: bool [batch, 1, height, width]; False on padding, which gets no attention.

        Returns:
            context: float [batch, channels, height, width]; 0 on padding.
            weights: float [batch, positions, positions], positions = height * width, row by row; f / C. Rows sum to 1
                with the embedded Gaussian, to any number with the dot product; 0 in images that are all padding.
        """
        # [batch, inner, height, width] -> [batch, positions, inner]
        q, k, v = (project(features).flatten(2).transpose(1, 2) for project in (self.query, self.key, self.value))
        weights = self._weights(q @ k.transpose(1, 2), None if mask is None else mask.flatten(2))
        y = (weights @ v).transpose(1, 2).unflatten(2, features.shape[2:])  # [batch, inner, height, width]
        context = features + self.output(y)
        return context if mask is None else context.masked_fill(~mask, 0.0), weights

    def _weights(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """scores: float [batch, positions, positions]; mask: bool [batch, 1, positions]."""
        if self.affinity == "embedded_gaussian":
            return masked_softmax(scores, mask)
        if mask is None:
            return scores / scores.shape[-1]
        return scores.masked_fill(~mask, 0.0) / mask.sum(-1, keepdim=True).clamp_min(1)
