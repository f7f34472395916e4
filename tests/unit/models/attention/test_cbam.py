import numpy as np
import pytest
import torch

from regard_models.attention.cbam import ChannelAttention, ConvolutionalBlockAttention, SpatialAttention
from tests.unit.models.attention.helpers import (
    IMAGE,
    Array,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    draw,
    seeded,
)


def block() -> ConvolutionalBlockAttention:
    return seeded(ConvolutionalBlockAttention(4, reduction=2, kernel_size=3))


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def channel_gates(p: dict[str, Array], features: Array, mask: Array) -> Array:
    """Equation 2 for one image: [channels, height, width] -> [channels]."""

    def mlp(x: Array) -> Array:
        hidden = np.maximum(0, p["channel.mlp.0.weight"] @ x + p["channel.mlp.0.bias"])
        output: Array = p["channel.mlp.2.weight"] @ hidden + p["channel.mlp.2.bias"]
        return output

    inside = [channel[mask] for channel in features]
    return sigmoid(mlp(np.array([x.mean() for x in inside])) + mlp(np.array([x.max() for x in inside])))


def spatial_gates(p: dict[str, Array], features: Array, mask: Array) -> Array:
    """Equation 3 for one image: [channels, height, width] -> [height, width]."""
    features = features * mask
    pooled = np.pad(np.stack([features.mean(0), features.max(0)]), ((0, 0), (1, 1), (1, 1)))
    gates = np.zeros(mask.shape)
    for i, j in np.ndindex(mask.shape):
        patch = pooled[:, i : i + 3, j : j + 3]
        gates[i, j] = sigmoid((p["spatial.conv.weight"][0] * patch).sum() + p["spatial.conv.bias"][0]) * mask[i, j]
    return gates


def test_equals_numpy() -> None:
    inputs, module = draw(IMAGE), block()
    x, p = arrays(inputs), arrays(module.state_dict())
    contexts, weights = [], []
    for features, (mask,) in zip(x["features"], x["mask"], strict=True):
        channel = channel_gates(p, features, mask)[:, None, None]
        spatial = spatial_gates(p, channel * features, mask)
        contexts.append(channel * spatial * features)
        weights.append(channel * spatial)
    check_equal(module(**inputs), [np.stack(contexts), np.stack(weights)])


def test_halves_stand_alone() -> None:
    inputs, module = draw(IMAGE), block()
    x, p = arrays(inputs), arrays(module.state_dict())
    pairs = list(zip(x["features"], x["mask"][:, 0], strict=True))
    channel, spatial = module.channel(**inputs)[1], module.spatial(**inputs)[1]
    check_equal([channel], [np.stack([channel_gates(p, *pair) for pair in pairs])])
    check_equal([spatial], [np.stack([spatial_gates(p, *pair) for pair in pairs])])


def test_without_a_mask_every_position_is_allowed() -> None:
    features, module = draw(IMAGE)["features"], block()
    expected = module(features, torch.ones(2, 1, 4, 5, dtype=torch.bool))
    check_equal(module(features), [x.detach().numpy() for x in expected])


@pytest.mark.parametrize("module", [ChannelAttention(4), SpatialAttention(), ConvolutionalBlockAttention(4)])
def test_image_that_is_all_padding_is_zero(module: torch.nn.Module) -> None:
    features = draw(IMAGE, dtype=torch.float32)["features"].requires_grad_()
    context, weights = module(features, torch.zeros(2, 1, 4, 5, dtype=torch.bool))
    assert (context == 0).all()
    assert weights.isfinite().all()
    (context.sum() + weights.sum()).backward()
    assert features.grad is not None
    assert (features.grad == 0).all()


def test_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel_size 4 is not odd"):
        SpatialAttention(kernel_size=4)


def test_mask() -> None:
    check_masked_is_ignored(block(), draw(IMAGE), source="features", axis=3)


def test_gradients() -> None:
    check_gradients(block(), draw(IMAGE))


def test_export() -> None:
    check_export(block(), IMAGE)
