import math

import numpy as np
import pytest
import torch

from regard_models.attention.general import GeneralScore
from regard_models.attention.local_predictive import LocalPredictiveAttention
from tests.unit.models.attention.helpers import (
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

SPECS = sequence(6, 4)


def local(radius: int = 2) -> LocalPredictiveAttention:
    return seeded(LocalPredictiveAttention(GeneralScore(6, 4), 6, 3, radius))


def test_equals_numpy() -> None:
    inputs, attention = draw(SPECS), local()
    scores = attention.score(inputs["query"], attention.score.prepare(inputs["memory"]))
    x, p = arrays({**inputs, "scores": scores}), arrays(attention.state_dict())
    window, gaussian = np.zeros((2, 3, 5), bool), np.zeros((2, 3, 5))
    for b, t, s in np.ndindex(window.shape):
        hidden = p["position.weight"][0] @ np.tanh(p["hidden.weight"] @ x["query"][b, t])
        centre = x["mask"][b, t].sum() / (1 + math.exp(-hidden))
        window[b, t, s] = abs(s - centre) <= 2
        gaussian[b, t, s] = math.exp(-((s - centre) ** 2) / (2 * (2 / 2) ** 2))
    weights = softmax(x["scores"], x["mask"] & window) * gaussian
    check_equal(attention(**inputs), [weights @ x["memory"], weights])


def test_looks_at_the_middle_unless_told_otherwise() -> None:
    attention = local()
    torch.nn.init.zeros_(attention.position.weight)
    inputs = draw(SPECS)
    mask = torch.tensor([True, True, True, True, False])
    assert (attention.predict(inputs["query"], mask.sum(-1, keepdim=True)) == 2).all()
    _, weights = attention(inputs["query"], inputs["memory"], mask)
    assert (weights.sum(-1) <= 1).all()
    assert (weights[..., 4] == 0).all()


def test_mask_of_one_column_holds_for_all() -> None:
    inputs, attention = draw(SPECS), local()
    everything = torch.ones(2, 3, 1, dtype=torch.bool)
    assert torch.equal(
        attention(inputs["query"], inputs["memory"], everything)[0], attention(inputs["query"], inputs["memory"])[0]
    )


def test_radius_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="radius 0"):
        local(0)


def test_mask() -> None:
    check_nothing_allowed(local(), draw(SPECS))
    check_masked_is_ignored(local(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(local(), draw(SPECS))


def test_export() -> None:
    check_export(local(), SPECS)
