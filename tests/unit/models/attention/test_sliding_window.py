import numpy as np
import pytest
import torch

from regard_models.attention.sliding_window import SlidingWindowAttention
from tests.unit.models.attention.helpers import (
    Spec,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    largest_tensor,
    multi_head,
    seeded,
)

SPECS = {"x": Spec(("batch", "n", 8)), "source_mask": Spec(("batch", "n"), "bool")}
directions = pytest.mark.parametrize("causal", [False, True])
both_ways = pytest.mark.parametrize("need_weights", [False, True])


def sliding(*, causal: bool, window: int = 2) -> SlidingWindowAttention:
    return seeded(SlidingWindowAttention(8, 4, window=window, causal=causal))


@directions
@pytest.mark.parametrize(("n", "window"), [(7, 2), (9, 3), (1, 3), (2, 5), (11, 4), (5, 1), (12, 12)])
def test_equals_numpy(causal: bool, n: int, window: int) -> None:
    inputs, module = draw(SPECS, {"batch": 2, "n": n}), sliding(causal=causal, window=window)
    x = arrays(inputs)
    behind = np.arange(n)[:, None] - np.arange(n)
    near = (np.abs(behind) <= window) & ((behind >= 0) | (not causal))
    reference = {"query": x["x"], "memory": x["x"], "mask": near & x["source_mask"][:, None, None]}
    expected = multi_head(arrays(module.state_dict()), reference, 4)
    check_equal(module(**inputs, need_weights=True), expected)
    context, weights = module(**inputs)
    assert weights is None
    check_equal([context], expected[:1])


@directions
def test_computes_the_windows_only(causal: bool) -> None:
    module = SlidingWindowAttention(8, 1, window=16, causal=causal)
    assert largest_tensor(module, x=torch.randn(1, 512, 8)) <= 512 * 3 * 16


def test_layers_see_farther_than_one() -> None:
    module, x = SlidingWindowAttention(8, 1, window=2), torch.randn(1, 9, 8, requires_grad=True)
    module(module(x)[0])[0][0, 0].sum().backward()
    assert x.grad is not None
    assert [bool(row.abs().sum() > 0) for row in x.grad[0]] == [True] * 5 + [False] * 4


def test_a_window_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="window must be at least 1; it is 0"):
        SlidingWindowAttention(8, 4, window=0)


@directions
@both_ways
def test_mask(causal: bool, need_weights: bool) -> None:
    module, inputs = sliding(causal=causal), draw(SPECS)
    check_nothing_allowed(module, inputs, mask="source_mask", need_weights=need_weights)
    check_masked_is_ignored(module, inputs, source="x", mask="source_mask", need_weights=need_weights)


@directions
@both_ways
def test_gradients(causal: bool, need_weights: bool) -> None:
    check_gradients(sliding(causal=causal), draw(SPECS), need_weights=need_weights)


@directions
def test_export(causal: bool) -> None:
    check_export(sliding(causal=causal), SPECS, ({"need_weights": True}, {"need_weights": False}))
