import math

import numpy as np
import pytest
import torch

from regard_models.attention.multi_head import MultiHeadAttention
from regard_models.attention.relative_position import RelativePositionAttention, RelativePositionBias
from tests.unit.models.attention.helpers import (
    Spec,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    in_heads,
    multi_head,
    seeded,
)

SPECS = in_heads(8)


def relative(*, bidirectional: bool = True) -> RelativePositionAttention:
    positions = RelativePositionBias(4, num_buckets=8, max_distance=10, bidirectional=bidirectional)
    return seeded(RelativePositionAttention(MultiHeadAttention(8, 4), positions))


def bucket(distance: int, num_buckets: int, max_distance: int) -> int:
    """The bucket by the formula of the authors' code (Raffel et al. 2020, section 2.1)."""
    exact = num_buckets // 2
    if distance < exact:
        return distance
    share = math.log(distance / exact) / math.log(max_distance / exact)
    return min(num_buckets - 1, exact + int(share * (num_buckets - exact) + 1e-6))


@pytest.mark.parametrize("bidirectional", [True, False])
def test_equals_numpy(bidirectional: bool) -> None:
    inputs, module = draw(SPECS), relative(bidirectional=bidirectional)
    table = module.positions.table.weight.detach().numpy()
    bias = np.zeros((4, 3, 5))
    for t, s in np.ndindex(3, 5):
        both = bucket(abs(s - t), 4, 10) + (4 if s > t else 0)
        bias[:, t, s] = table[both if bidirectional else bucket(max(t - s, 0), 8, 10)]
    expected = multi_head(arrays(module.attention.state_dict()), arrays(inputs), 4, bias=bias)
    check_equal(module(**inputs), expected)
    check_equal(module(**inputs, need_weights=False)[:1], expected[:1])


@pytest.mark.parametrize(("bidirectional", "num_buckets"), [(True, 32), (False, 32), (True, 16)])
def test_buckets_of_all_distances(bidirectional: bool, num_buckets: int) -> None:
    positions = RelativePositionBias(1, num_buckets=num_buckets, bidirectional=bidirectional)
    a_direction = num_buckets // 2 if bidirectional else num_buckets
    assert positions.buckets.tolist() == [bucket(d, a_direction, 128) for d in range(129)]
    assert positions.buckets.unique().tolist() == list(range(a_direction))


def test_far_distances_share_a_bucket() -> None:
    positions = RelativePositionBias(2)
    bias = positions(torch.tensor([0, 1000]), torch.arange(1001))
    assert (bias[..., 0, 128:] == bias[..., 0, 128:129]).all()
    assert not torch.equal(bias[..., 0, 1000], bias[..., 1, 0])  # ahead is not behind


def test_step_by_step_gives_the_same() -> None:
    inputs, module = draw(SPECS), relative()
    context, _ = module(**inputs)
    for t in range(3):
        step = {**inputs, "query": inputs["query"][:, t : t + 1], "mask": inputs["mask"][:, :, t : t + 1]}
        torch.testing.assert_close(module(**step, query_positions=torch.tensor([t]))[0], context[:, t : t + 1])


def test_mask() -> None:
    check_nothing_allowed(relative(), draw(SPECS))
    check_masked_is_ignored(relative(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(relative(), draw(SPECS))


def test_export() -> None:
    positions = Spec(("target",), "int", high=20)
    check_export(relative(), {**SPECS, "query_positions": positions}, ({"need_weights": True}, {"need_weights": False}))
