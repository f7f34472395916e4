"""A small logistic regression, and the area under the curve by which it is judged."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RIDGE = 1e-2  # per example, on standardized weights
NUM_STEPS = 50


def fit_logistic(negative: Floats, positive: Floats) -> tuple[Floats, float]:
    """Fits by Newton's method with a small ridge; both classes weigh the same.

    Args:
        negative, positive: float64 [examples, features].

    Returns:
        the weights of the features as they are, float64 [features], and the intercept.
    """
    table, labels = np.concatenate([negative, positive]), np.repeat([0.0, 1.0], [len(negative), len(positive)])
    balance = np.where(labels == 1, 0.5 / len(positive), 0.5 / len(negative))
    mean, spread = table.mean(axis=0), table.std(axis=0)
    spread[spread < 1e-9] = np.inf  # a constant feature gets no weight
    columns = np.concatenate([(table - mean) / spread, np.ones((len(table), 1))], axis=1)
    ridge = RIDGE * np.diag([*[1.0] * table.shape[1], 0.0])
    found = np.zeros(columns.shape[1])
    for _ in range(NUM_STEPS):
        predicted = 1 / (1 + np.exp(-np.clip(columns @ found, -50, 50)))
        gradient = columns.T @ (balance * (predicted - labels)) + ridge @ found
        curvature = columns.T @ ((balance * predicted * (1 - predicted))[:, None] * columns) + ridge
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(found)), gradient)
        found = found - step
        if np.abs(step).max() < 1e-8:
            break
    weights = found[:-1] / spread
    return weights, float(found[-1] - weights @ mean)


def auroc(negative: Floats, positive: Floats) -> float:
    """The probability that a positive scores above a negative; ties count half (Mann and Whitney 1947)."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).mean() / (2 * len(negative)))
