import torch

from regard_models.attention.general import GeneralScore
from regard_models.attention.hard import HardAttention
from regard_models.attention.soft import SoftAttention
from regard_models.attention.straight_through import StraightThroughAttention
from tests.unit.models.attention.helpers import (
    check_equal,
    check_export,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    seeded,
    sequence,
)

SPECS = sequence(6, 4)


def straight_through() -> StraightThroughAttention:
    return seeded(StraightThroughAttention(GeneralScore(6, 4)))


def test_forward_is_that_of_hard_attention() -> None:
    """Compares with hard attention, whose test compares it with NumPy."""
    inputs, attention = draw(SPECS), straight_through()
    context, weights = HardAttention(attention.score)(**inputs)
    check_equal(attention(**inputs), [context.detach().numpy(), weights.detach().numpy()], tolerance=0)


def test_backward_is_that_of_soft_attention() -> None:
    inputs, attention = draw(SPECS), straight_through()
    query, matrix = inputs["query"].requires_grad_(), attention.get_parameter("score.key.weight")
    upstream = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for expected, result in zip(
        torch.autograd.grad(SoftAttention(attention.score)(**inputs)[0], [query, matrix], upstream),
        torch.autograd.grad(attention(**inputs)[0], [query, matrix], upstream),
        strict=True,
    ):
        torch.testing.assert_close(result, expected)


def test_mask() -> None:
    check_nothing_allowed(straight_through(), draw(SPECS))
    check_masked_is_ignored(straight_through(), draw(SPECS))


def test_export() -> None:
    check_export(straight_through(), SPECS)
