import numpy as np
import pytest
import torch

from regard_models.attention.grouped_query import GroupedQueryAttention
from regard_models.attention.multi_head import MultiHeadAttention
from tests.unit.models.attention.helpers import (
    Array,
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
both_ways = pytest.mark.parametrize("need_weights", [True, False])


def grouped(num_groups: int = 2) -> GroupedQueryAttention:
    return seeded(GroupedQueryAttention(8, 4, num_groups))


def for_every_head(parameters: dict[str, Array], num_groups: int) -> dict[str, Array]:
    """Repeats each group's keys and values for its heads, as in multi-head attention."""
    repeated = dict(parameters)
    for name in ("key.weight", "key.bias", "value.weight", "value.bias"):
        groups = np.split(parameters[name], num_groups)
        repeated[name] = np.concatenate([group for group in groups for _ in range(4 // num_groups)])
    return repeated


@pytest.mark.parametrize("num_groups", [1, 2, 4])
def test_equals_numpy(num_groups: int) -> None:
    inputs, module = draw(SPECS), grouped(num_groups)
    expected = multi_head(for_every_head(arrays(module.state_dict()), num_groups), arrays(inputs), 4)
    check_equal(module(**inputs), expected)
    context, weights = module(**inputs, need_weights=False)
    assert weights is None
    check_equal([context], expected[:1])


def test_starts_from_the_means_of_a_multi_head_checkpoint() -> None:
    attention = MultiHeadAttention(8, 4, bias=False, scale=0.3)
    module = GroupedQueryAttention.from_multi_head(attention, 2)
    weight = attention.key.weight
    torch.testing.assert_close(module.key.weight[:2], (weight[:2] + weight[2:4]) / 2)
    torch.testing.assert_close(module.key.weight[2:], (weight[4:6] + weight[6:]) / 2)
    assert torch.equal(module.query.weight, attention.query.weight)
    assert module.scale == 0.3


def test_as_many_groups_as_heads_is_multi_head_attention() -> None:
    inputs, attention = draw(SPECS), seeded(MultiHeadAttention(8, 4))
    module = GroupedQueryAttention.from_multi_head(attention, 4).double()
    check_equal(module(**inputs), [x.detach().numpy() for x in attention(**inputs)])


def test_groups_that_do_not_divide_the_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="num_heads 4 is not a multiple of num_key_heads 3"):
        GroupedQueryAttention(8, 4, 3)


@both_ways
def test_mask(need_weights: bool) -> None:
    check_nothing_allowed(grouped(), draw(SPECS), need_weights=need_weights)
    check_masked_is_ignored(grouped(), draw(SPECS), need_weights=need_weights)


@both_ways
def test_gradients(need_weights: bool) -> None:
    check_gradients(grouped(), draw(SPECS), need_weights=need_weights)


def test_export() -> None:
    check_export(grouped(), SPECS, ({"need_weights": True}, {"need_weights": False}))
