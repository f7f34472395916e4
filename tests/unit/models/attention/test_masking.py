from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from regard_models.attention.masking import masked_log_softmax, masked_max, masked_mean, masked_softmax
from tests.unit.models.attention.helpers import Array, softmax

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=5)


@st.composite
def scores_and_mask(draw: st.DrawFn) -> tuple[Array, Array]:
    shape = draw(SHAPES)
    scores = draw(hnp.arrays(np.float64, shape, elements=st.floats(-20, 20)))
    return scores, draw(hnp.arrays(np.bool_, shape))


@settings(max_examples=50, deadline=None)
@given(scores_and_mask())
def test_softmax_equals_numpy(case: tuple[Array, Array]) -> None:
    scores, mask = case
    weights = masked_softmax(torch.from_numpy(scores), torch.from_numpy(mask)).numpy()
    np.testing.assert_allclose(weights, softmax(scores, mask), atol=1e-12)
    assert (weights[~mask] == 0).all()


@settings(max_examples=50, deadline=None)
@given(scores_and_mask())
def test_log_softmax_is_its_logarithm(case: tuple[Array, Array]) -> None:
    scores, mask = case
    logs = masked_log_softmax(torch.from_numpy(scores), torch.from_numpy(mask)).numpy()
    np.testing.assert_allclose(np.exp(logs)[mask], softmax(scores, mask)[mask], atol=1e-12)
    assert (logs[~mask] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("function", [masked_softmax, masked_log_softmax])
def test_extreme_scores_stay_finite(function: Callable[..., Tensor], dtype: torch.dtype) -> None:
    limits = torch.finfo(dtype)
    scores = torch.tensor(
        [[limits.max, limits.max, 0.0], [limits.min, limits.min, 0.0]], dtype=dtype, requires_grad=True
    )
    result = function(scores, torch.tensor([[True, False, True], [True, False, False]]))
    assert not result.isnan().any()
    result[:, 1].sum().backward()
    assert scores.grad is not None
    assert (scores.grad == 0).all()


def test_means_and_maxima_leave_out_what_is_masked() -> None:
    x = torch.tensor([[[1.0, 2.0], [9.0, -4.0]], [[-5.0, -7.0], [6.0, 8.0]]])
    mask = torch.tensor([[[True, True], [False, True]], [[True, True], [False, False]]])
    assert masked_mean(x, mask, (1, 2)).tolist() == [pytest.approx(-1 / 3), -6.0]
    assert masked_max(x, mask, (1, 2)).tolist() == [2.0, -5.0]
    assert masked_mean(x, torch.zeros_like(mask), (1, 2)).tolist() == [0.0, 0.0]
    assert masked_max(x, torch.zeros_like(mask), (1, 2)).tolist() == [0.0, 0.0]
