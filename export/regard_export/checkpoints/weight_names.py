"""Weights of other toolkits under the parameter names of this project's nets."""

from collections.abc import Mapping, Sequence

import numpy as np

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Weights
from regard_models.nets.transformer_config import Activation

WEIGHT_AND_BIAS = ("weight", "bias")

# By the names of `transformers` and fairseq.
ACTIVATIONS: dict[str, Activation] = {
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
    """Returns weights under our names. A missing bias becomes zeros; other missing weights are left out.

    Args:
        names: ours to theirs, each without its prefix and kind.
        kinds: such as "weight" and "bias".
    """
    ours: dict[str, Float32Array] = {}
    for our_name, their_name in names.items():
        our_layer, their_layer = f"{our_prefix}{our_name}", f"{their_prefix}{their_name}"
        for kind in kinds:
            is_bias = kind == "bias"
            weight = theirs.get(f"{their_layer}.bias") if is_bias else _item_or_none(theirs, f"{their_layer}.{kind}")
            if weight is None and is_bias and f"{our_layer}.weight" in ours:
                weight = np.zeros(len(ours[f"{our_layer}.weight"]), np.float32)
            if weight is not None:
                ours[f"{our_layer}.{kind}"] = weight
    return ours


def _item_or_none(weights: Weights, name: str) -> Float32Array | None:
    """As `get`, but through `__getitem__`, so that `TrackedWeights` records a missing weight."""
    try:
        return weights[name]
    except KeyError:
        return None


def weights_under(weights: Weights, prefix: str) -> dict[str, Float32Array]:
    """The weights whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
