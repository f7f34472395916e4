"""Names and weights of other toolkits under the project's own names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from export.errors import ExportError
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


class ReadWeights(dict[str, Float32Array]):
    """A checkpoint's weights, which know what was read of them."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Float32Array:
        self._read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As a dict's; counts as reading."""
        self._read.add(name)
        return super().get(name, default)

    def __missing__(self, name: str) -> Float32Array:
        raise ExportError(f"the checkpoint has no weight {name}")

    def refuse_unread(self, ignored: re.Pattern[str]) -> None:
        """Raises ExportError with every weight that nothing read, except those ignored."""
        unread = sorted(name for name in self.keys() - self._read if not ignored.fullmatch(name))
        if unread:
            raise ExportError(f"weights that this architecture has no place for: {', '.join(unread)}")
