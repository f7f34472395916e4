"""The meaning of masks in the whole library.

A mask is bool, True where attention is allowed, and broadcastable to the weights. A query that may attend to nothing
(a fully masked row) gets weights of zero, hence a context of zero and no gradient; never NaN, the result of a softmax
over -inf alone.
"""

import torch
from torch import Tensor


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax over the last axis, of the allowed positions only.

    Args:
        scores: float [..., source].
        mask: bool, broadcastable to `scores`; None allows everything.

    Returns:
        weights: float [..., source], exactly 0 where not allowed; each row sums to 1, or to 0 if it allows nothing.
    """
    if mask is None:
        return torch.softmax(scores, dim=-1)
    return torch.softmax(_silence(scores, mask), dim=-1).masked_fill(~mask, 0.0)


def masked_log_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """The logarithm of `masked_softmax`, with 0 instead of -inf where not allowed, so that sums of w log w are safe."""
    if mask is None:
        return torch.log_softmax(scores, dim=-1)
    return torch.log_softmax(_silence(scores, mask), dim=-1).masked_fill(~mask, 0.0)


def masked_mean(x: Tensor, mask: Tensor | None, dim: tuple[int, ...]) -> Tensor:
    """Mean over the allowed positions.

    Args:
        x: float, any shape.
        mask: bool, broadcastable to `x`; None allows everything.
        dim: the reduced axes; along the others the mask may have size 1.

    Returns:
        mean: float, `x` without `dim`; 0 where nothing is allowed.
    """
    if mask is None:
        return x.mean(dim)
    mask = mask.expand_as(x)
    return x.masked_fill(~mask, 0.0).sum(dim) / mask.sum(dim).clamp_min(1)


def masked_max(x: Tensor, mask: Tensor | None, dim: tuple[int, ...]) -> Tensor:
    """Maximum over the allowed positions; arguments and result as in `masked_mean`."""
    if mask is None:
        return x.amax(dim)
    mask = mask.expand_as(x)
    return _silence(x, mask).amax(dim).masked_fill(~mask.any(dim), 0.0)


def _silence(scores: Tensor, mask: Tensor) -> Tensor:
    """The lowest finite number instead of -inf: its exponential is also 0, and a row of it gives no NaN."""
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
