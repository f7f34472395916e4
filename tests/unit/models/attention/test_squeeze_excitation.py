import numpy as np
import torch

from regard_models.attention.squeeze_excitation import SqueezeExcitation
from tests.unit.models.attention.helpers import (
    IMAGE,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    draw,
    seeded,
)


def module() -> SqueezeExcitation:
    return seeded(SqueezeExcitation(4, reduction=2))


def test_equals_numpy() -> None:
    inputs, block = draw(IMAGE), module()
    x, p = arrays(inputs), arrays(block.state_dict())
    context, weights = np.zeros_like(x["features"]), np.zeros((2, 4))
    for b in range(2):
        mask = x["mask"][b, 0]
        pooled = np.array([channel[mask].mean() for channel in x["features"][b]])
        hidden = np.maximum(0, p["squeeze.weight"] @ pooled + p["squeeze.bias"])
        weights[b] = 1 / (1 + np.exp(-(p["excite.weight"] @ hidden + p["excite.bias"])))
        context[b] = weights[b][:, None, None] * x["features"][b] * mask
    check_equal(block(**inputs), [context, weights])


def test_without_a_mask_every_position_is_allowed() -> None:
    features, block = draw(IMAGE)["features"], module()
    expected = block(features, torch.ones(2, 1, 4, 5, dtype=torch.bool))
    check_equal(block(features), [x.detach().numpy() for x in expected])


def test_image_that_is_all_padding_is_zero() -> None:
    features, block = draw(IMAGE)["features"].requires_grad_(), module()
    context, weights = block(features, torch.zeros(2, 1, 4, 5, dtype=torch.bool))
    assert (context == 0).all()
    assert ((weights > 0) & (weights < 1)).all()
    weights.sum().backward()
    assert features.grad is not None
    assert (features.grad == 0).all()


def test_mask() -> None:
    check_masked_is_ignored(module(), draw(IMAGE), source="features", axis=3)


def test_gradients() -> None:
    check_gradients(module(), draw(IMAGE))


def test_export() -> None:
    check_export(module(), IMAGE)
