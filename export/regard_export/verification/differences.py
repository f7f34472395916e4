"""How far arrays differ, computed row by row: a copy of all logits would take as much memory as a small model."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def max_difference(actual: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest absolute difference. Equal infinities do not differ; NaN yields NaN."""
    result = 0.0
    for a, e in zip(_rows([actual]), _rows([np.broadcast_to(expected, actual.shape)]), strict=True):
        with np.errstate(invalid="ignore"):
            difference = np.where(a == e, 0, np.abs(a - e))
        result = larger(result, float(difference.max(initial=0)))
    return result


def larger(one: float, other: float) -> float:
    """The larger number; NaN if either is NaN."""
    return float(np.maximum(one, other))


def spread(arrays: Sequence[NDArray[Any]]) -> float:
    """The standard deviation of all finite numbers, at least 1: the unit in which rounding errors are measured."""
    count, total, squares = 0, 0.0, 0.0
    for row in _rows(arrays):
        numbers = row[np.isfinite(row)].astype(np.float64)
        count, total, squares = count + numbers.size, total + numbers.sum(), squares + numbers @ numbers
    mean = total / max(1, count)
    return max(1.0, float(np.sqrt(max(0.0, squares / max(1, count) - mean**2))))


def _rows(arrays: Sequence[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    for array in arrays:
        yield from (row.ravel() for row in np.atleast_2d(array))
