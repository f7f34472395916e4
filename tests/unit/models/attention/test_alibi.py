import numpy as np
import pytest
import torch

from regard_models.attention.alibi import AlibiAttention, slopes_of
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


def alibi() -> AlibiAttention:
    return seeded(AlibiAttention(8, 4))


def test_equals_numpy() -> None:
    inputs, module = draw(SPECS), alibi()
    distances = np.abs(np.arange(5) - np.arange(3)[:, None])
    bias = -np.array([1 / 4, 1 / 16, 1 / 64, 1 / 256])[:, None, None] * distances
    expected = multi_head(arrays(module.state_dict()), arrays(inputs), 4, bias=bias)
    check_equal(module(**inputs), expected)
    check_equal(module(**inputs, need_weights=False)[:1], expected[:1])


def test_a_further_bias_is_added() -> None:
    inputs, module = draw(SPECS), alibi()
    further = torch.full((1, 1, 3, 5), 2.0).double()
    check_equal(module(**inputs, score_bias=further), [x.detach().numpy() for x in module(**inputs)])


@pytest.mark.parametrize(
    ("num_heads", "expected"),
    [(1, [2**-8]), (8, [2**-i for i in range(1, 9)]), (6, [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3])],
)
def test_slopes(num_heads: int, expected: list[float]) -> None:
    """The geometric sequence of the paper, and the authors' rule for other numbers of heads."""
    assert slopes_of(num_heads) == expected


def test_a_far_position_weighs_less() -> None:
    module = AlibiAttention(4, 2)
    _, weights = module(torch.zeros(1, 1, 4), torch.ones(1, 9, 4))
    assert (weights.diff() < 0).all()


def test_step_by_step_gives_the_same() -> None:
    inputs, module = draw(SPECS), alibi()
    context, _ = module(**inputs)
    for t in range(3):
        step = {**inputs, "query": inputs["query"][:, t : t + 1], "mask": inputs["mask"][:, :, t : t + 1]}
        torch.testing.assert_close(module(**step, query_positions=torch.tensor([t]))[0], context[:, t : t + 1])


def test_mask() -> None:
    check_nothing_allowed(alibi(), draw(SPECS))
    check_masked_is_ignored(alibi(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(alibi(), draw(SPECS))


def test_export() -> None:
    positions = Spec(("target",), "int", high=20)
    check_export(alibi(), {**SPECS, "query_positions": positions}, ({"need_weights": True}, {"need_weights": False}))
