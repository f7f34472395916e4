"""Convolutions with batch normalizations, which are folded into them after training."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Convolution(nn.Module):
    """A convolution of 3 x 3 pixels, a normalization, and ReLU.

    Args:
        has_norm: whether there is a batch normalization (Ioffe and Szegedy 2015).
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1, has_norm: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)
        self.norm = nn.BatchNorm2d(channels_out) if has_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """float [batch, channels_in, rows, columns] -> [batch, channels_out, rows / stride, columns / stride]."""
        return functional.relu(self.norm(self.conv(x)))


def folded_weights(net: nn.Module) -> dict[str, Tensor]:
    """The weights of the net whose `Convolution`s have no normalizations, and which computes what this one computes in
    evaluation.
    """
    weights = net.state_dict()
    for name, module in net.named_modules():
        if isinstance(module, Convolution) and isinstance(module.norm, nn.BatchNorm2d):
            weight, bias = _folded(module.conv, module.norm)
            for own in [each for each in weights if each.startswith(f"{name}.norm.")]:
                del weights[own]
            weights |= {f"{name}.conv.weight": weight, f"{name}.conv.bias": bias}
    return weights


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that computes both."""
    mean, variance, bias = norm.running_mean, norm.running_var, conv.bias
    if mean is None or variance is None or bias is None:
        raise ValueError("the normalization keeps no averages, or the convolution has no bias")
    gain = norm.weight / torch.sqrt(variance + norm.eps)
    return conv.weight * gain[:, None, None, None], (bias - mean) * gain + norm.bias
