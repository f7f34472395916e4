"""Names and weights of other toolkits under the project's own names."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from regard_models.nets.transformer import Activation

from regard.arrays import Float32Array
from regard_export.errors import ExportError, WeightsDoNotFit

Weights = Mapping[str, Float32Array]

BOTH = ("weight", "bias")
STAND_IN = (1024, 1024)  # divided by most numbers of heads

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
    """Weights under our names; a bias that they do not have is zero, and what else they lack is left out.

    Args:
        names: ours, theirs, each without its prefix and kind.
        kinds: such as "weight" and "bias".
    """
    ours: dict[str, Float32Array] = {}
    for our_name, their_name in names.items():
        ours_of, theirs_of = f"{our_prefix}{our_name}", f"{their_prefix}{their_name}"
        for kind in kinds:
            weight = theirs.get(f"{theirs_of}.bias") if kind == "bias" else _wanted(theirs, f"{theirs_of}.{kind}")
            if weight is None and kind == "bias" and f"{ours_of}.weight" in ours:
                weight = np.zeros(len(ours[f"{ours_of}.weight"]), np.float32)
            if weight is not None:
                ours[f"{ours_of}.{kind}"] = weight
    return ours


def _wanted(weights: Weights, name: str) -> Float32Array | None:
    try:
        return weights[name]
    except KeyError:
        return None


def under(weights: Weights, prefix: str) -> dict[str, Float32Array]:
    """The weights whose names begin so, without it."""
    return {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}


class ReadWeights(dict[str, Float32Array]):
    """A checkpoint's weights, which know what was read of them and what was missed."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self._read: set[str] = set()
        self._missed: set[str] = set()

    def __getitem__(self, name: str) -> Float32Array:
        self._read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As a dict's; counts as reading."""
        self._read.add(name)
        return super().get(name, default)

    def __missing__(self, name: str) -> Float32Array:
        """Something instead of the weight: who reads goes on, so that all that is missed becomes known."""
        self._missed.add(name)
        return np.zeros(STAND_IN, np.float32)

    @contextmanager
    def all_read(self, ignored: re.Pattern[str]) -> Iterator[None]:
        """Within it, the weights are read.

        Args:
            ignored: names of weights that nobody reads.

        Raises:
            ExportError: with every weight that is missing and every one that nothing read.
        """
        try:
            yield
        except WeightsDoNotFit:
            self._refuse(self._missed, self._unread(ignored))
            raise
        except (ExportError, ArithmeticError, LookupError, RuntimeError, ValueError):  # for want of a table, mostly
            self._refuse(self._missed, [])
            raise
        self._refuse(self._missed, self._unread(ignored))

    def _unread(self, ignored: re.Pattern[str]) -> list[str]:
        return [name for name in self.keys() - self._read if not ignored.fullmatch(name)]

    def _refuse(self, missed: Collection[str], unread: Collection[str]) -> None:
        faults = [f"weights are missing: {', '.join(sorted(missed))}"] if missed else []
        faults += [f"weights that this architecture has no place for: {', '.join(sorted(unread))}"] if unread else []
        if faults:
            raise ExportError("the weights do not fit the architecture: " + "; ".join(faults))
