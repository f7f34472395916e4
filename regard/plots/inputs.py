"""The tokens and weights that the plots take, checked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from regard.arrays import Float32Array
from regard.values.labels import Label, readable

_MAX_CHARACTERS = 24


def as_labels(tokens: Sequence[str | Label]) -> list[Label]:
    """Labels for tokens, each on one line; long ones are cut."""
    labels = [token if isinstance(token, Label) else Label(readable(token)) for token in tokens]
    return [
        label if len(label.text) <= _MAX_CHARACTERS else Label(label.text[: _MAX_CHARACTERS - 1] + "…", label.special)
        for label in labels
    ]


def as_weights(weights: ArrayLike, num_targets: int, num_sources: int) -> Float32Array:
    """Weights as float32 [target, source].

    Raises:
        ValueError: their shape does not match the tokens, or they are not finite.
    """
    values = np.asarray(weights, np.float32)
    shape = (num_targets, num_sources)
    if values.shape != shape:
        raise ValueError(f"weights are {list(values.shape)}; for these tokens they must be {list(shape)}")
    if not values.size:
        raise ValueError("there is nothing to draw: no tokens")
    if not np.isfinite(values).all():
        raise ValueError("weights must be finite")
    return values
