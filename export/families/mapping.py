"""Names and weights of `transformers` under the project's own names."""

from collections.abc import Mapping, Sequence

import numpy as np

from export.quantize import Float32Array

Weights = Mapping[str, Float32Array]

BOTH = ("weight", "bias")

ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}


def renamed(
    theirs: Weights, names: Mapping[str, str], kinds: Sequence[str], our_prefix: str = "", their_prefix: str = ""
) -> dict[str, Float32Array]:
    """Weights under our names; a bias that they do not have is zero.

    Args:
        names: ours, theirs, each without its prefix and kind.
        kinds: such as "weight" and "bias".
    """
    ours = {}
    for our_name, their_name in names.items():
        for kind in kinds:
            weight = theirs.get(f"{their_prefix}{their_name}.{kind}")
            if weight is None and kind == "bias":
                weight = np.zeros(len(theirs[f"{their_prefix}{their_name}.weight"]), np.float32)
            if weight is not None:
                ours[f"{our_prefix}{our_name}.{kind}"] = weight
    return ours


def under(weights: Weights, prefix: str) -> dict[str, Float32Array]:
    """The weights whose names begin so, without it."""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
