import numpy as np
import pytest
import torch

from regard_models.attention.non_local import Affinity, NonLocalBlock
from tests.unit.models.attention.helpers import (
    IMAGE,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    seeded,
    softmax,
)

affinities = pytest.mark.parametrize("affinity", ["embedded_gaussian", "dot_product"])


def block(affinity: Affinity) -> NonLocalBlock:
    return seeded(NonLocalBlock(4, affinity=affinity))


@affinities
@pytest.mark.parametrize("masked", [True, False])
def test_equals_numpy(affinity: Affinity, masked: bool) -> None:
    inputs, module = draw(IMAGE), block(affinity)
    if not masked:
        inputs["mask"] = torch.ones_like(inputs["mask"])
    x, p = arrays(inputs), arrays(module.state_dict())
    contexts, all_weights = [], []
    for image, mask in zip(x["features"].reshape(2, 4, 20), x["mask"].reshape(2, 20), strict=True):
        theta, phi, g = (
            p[f"{name}.weight"][:, :, 0, 0] @ image + p[f"{name}.bias"][:, None] for name in ("query", "key", "value")
        )
        scores = theta.T @ phi
        weights = softmax(scores, mask) if affinity == "embedded_gaussian" else scores * mask / mask.sum()
        y = weights @ g.T
        z = p["output.weight"][:, :, 0, 0] @ y.T + p["output.bias"][:, None] + image
        contexts.append((z * mask).reshape(4, 4, 5))
        all_weights.append(weights)
    if not masked:
        del inputs["mask"]
    check_equal(module(**inputs), [np.stack(contexts), np.stack(all_weights)])


@affinities
def test_starts_as_the_identity(affinity: Affinity) -> None:
    features = draw(IMAGE, dtype=torch.float32)["features"]
    assert torch.equal(NonLocalBlock(4, affinity=affinity)(features)[0], features)


@affinities
def test_mask(affinity: Affinity) -> None:
    check_nothing_allowed(block(affinity), draw(IMAGE))
    check_masked_is_ignored(block(affinity), draw(IMAGE), source="features", axis=3)


@affinities
def test_gradients(affinity: Affinity) -> None:
    check_gradients(block(affinity), draw(IMAGE))


@affinities
def test_export(affinity: Affinity) -> None:
    check_export(block(affinity), IMAGE)
