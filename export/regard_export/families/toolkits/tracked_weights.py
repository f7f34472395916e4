"""A checkpoint's weights that record which of them were read, and which were missing."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_export.descriptions.layers import Weights
from regard_export.errors import ExportError, WeightsDoNotFit

PLACEHOLDER_SHAPE = (1024, 1024)  # of a missing weight; divisible by most numbers of heads


class TrackedWeights(dict[str, Float32Array]):
    """Weights by name. A missing weight reads as zeros, so that reading goes on and finds every missing one."""

    def __init__(self, weights: Weights) -> None:
        super().__init__(weights)
        self._read: set[str] = set()
        self._missing: set[str] = set()

    def __getitem__(self, name: str) -> Float32Array:
        self._read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As a dict's `get`; the weight counts as read."""
        self._read.add(name)
        return super().get(name, default)

    def __missing__(self, name: str) -> Float32Array:
        """Records a missing weight; returns a placeholder."""
        self._missing.add(name)
        return np.zeros(PLACEHOLDER_SHAPE, np.float32)

    @contextmanager
    def require_all_read(self, ignored: re.Pattern[str]) -> Iterator[None]:
        """Requires that the block reads every weight, and that none which it reads is missing.

        Args:
            ignored: names of weights that need not be read.

        Raises:
            ExportError: names every missing and every unread weight.
        """
        try:
            yield
        except WeightsDoNotFit:
            self._refuse(self._missing, self._unread(ignored))
            raise
        except (ExportError, ArithmeticError, LookupError, RuntimeError, ValueError):  # mostly due to a placeholder
            self._refuse(self._missing, [])
            raise
        self._refuse(self._missing, self._unread(ignored))

    def _unread(self, ignored: re.Pattern[str]) -> list[str]:
        return [name for name in self.keys() - self._read if not ignored.fullmatch(name)]

    def _refuse(self, missing: Collection[str], unread: Collection[str]) -> None:
        faults = [f"weights are missing: {', '.join(sorted(missing))}"] if missing else []
        faults += [f"unexpected weights: {', '.join(sorted(unread))}"] if unread else []
        if faults:
            raise ExportError("the weights do not fit the architecture: " + "; ".join(faults))
