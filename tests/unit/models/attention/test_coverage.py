import numpy as np
import pytest
import torch

from regard_models.attention.coverage import CoverageAttention, coverage_before, coverage_loss
from regard_models.attention.soft import SoftAttention
from tests.unit.models.attention.helpers import (
    Spec,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    seeded,
    sequence,
    softmax,
)

SPECS = {**sequence(6, 4), "coverage": Spec(("batch", "target", "source"))}


def attention() -> CoverageAttention:
    return seeded(CoverageAttention(6, 4, 5))


def test_equals_numpy() -> None:
    inputs, module = draw(SPECS), attention()
    x, p = arrays(inputs), arrays(module.state_dict())
    scores = np.zeros((2, 3, 5))
    for b, t, s in np.ndindex(scores.shape):
        hidden = p["score.query.weight"] @ x["query"][b, t] + p["score.key.weight"] @ x["memory"][b, s]
        hidden += p["coverage.weight"][:, 0] * x["coverage"][b, t, s] + p["score.key.bias"]
        scores[b, t, s] = p["score.energy.weight"][0] @ np.tanh(hidden)
    weights = softmax(scores, x["mask"])
    check_equal(module(**inputs), [weights @ x["memory"], weights])


def test_nothing_covered_is_additive_attention() -> None:
    inputs, module = draw(SPECS), attention()
    inputs["coverage"].zero_()
    result = module(**inputs)
    del inputs["coverage"]
    check_equal(result, [x.detach().numpy() for x in SoftAttention(module.score)(**inputs)])


def test_coverage_is_what_came_before() -> None:
    weights = draw({"weights": Spec(("batch", "target", "source"))})["weights"].softmax(-1)
    expected = np.stack([weights[:, :t].sum(1).numpy() for t in range(3)], axis=1)
    check_equal([coverage_before(weights)], [expected])


def test_loss_equals_numpy_and_leaves_padding_out() -> None:
    weights = draw({"weights": Spec(("batch", "target", "source"))})["weights"].softmax(-1)
    coverage = coverage_before(weights)
    overlap = [
        [sum(map(min, a, c)) for a, c in zip(weights[b].tolist(), coverage[b].tolist(), strict=True)] for b in (0, 1)
    ]
    assert coverage_loss(weights, coverage).item() == pytest.approx(np.mean(overlap))
    target_mask = torch.tensor([[True, True, True], [True, True, False]])
    assert coverage_loss(weights, coverage, target_mask).item() == pytest.approx(
        (sum(overlap[0]) + sum(overlap[1][:2])) / 5
    )
    assert coverage_loss(weights, coverage, torch.zeros_like(target_mask)) == 0


def test_looking_twice_costs_and_looking_elsewhere_does_not() -> None:
    twice = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    elsewhere = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    assert coverage_loss(twice, coverage_before(twice)) == 0.5
    assert coverage_loss(elsewhere, coverage_before(elsewhere)) == 0


def test_mask() -> None:
    check_nothing_allowed(attention(), draw(SPECS))
    check_masked_is_ignored(attention(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(attention(), draw(SPECS))
    weights = draw({"weights": Spec(("batch", "target", "source"))})["weights"].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: coverage_loss(x.softmax(-1), coverage_before(x.softmax(-1))), (weights,))


def test_export() -> None:
    check_export(attention(), SPECS)
