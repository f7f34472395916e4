"""Renames weights of `transformers` to this project's names."""

import re
from collections.abc import Mapping

from torch import Tensor, nn


def draw_parameters(net: nn.Module, std: float = 0.3) -> None:
    """Draws every parameter, including biases and normalizations, so that a missing one changes results."""
    for name, parameter in net.named_parameters():
        is_gain = "norm" in name.lower() and name.endswith("weight")
        nn.init.normal_(parameter, mean=float(is_gain), std=std)


def renamed(weights: Mapping[str, Tensor], patterns: Mapping[str, str]) -> dict[str, Tensor]:
    """Returns every weight by its new name.

    Args:
        patterns: regular expressions of whole names, without ".weight" and ".bias", and their replacements.

    Raises:
        KeyError: no pattern matches a name.
    """
    found = {}
    for name, weight in weights.items():
        stem, dot, kind = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "")
        for pattern, replacement in patterns.items():
            match = re.fullmatch(pattern, stem)
            if match:
                found[match.expand(replacement) + dot + kind] = weight
                break
        else:
            raise KeyError(name)
    return found
