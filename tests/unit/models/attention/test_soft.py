import torch

from regard_models.attention.additive import AdditiveScore
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

SPECS = sequence(6, 4)


def soft() -> SoftAttention:
    return seeded(SoftAttention(AdditiveScore(6, 4, 5)))


def test_equals_numpy() -> None:
    inputs, attention = draw(SPECS), soft()
    scores = attention.score(inputs["query"], attention.score.prepare(inputs["memory"]))
    x = arrays({**inputs, "scores": scores})
    weights = softmax(x["scores"], x["mask"])
    check_equal(attention(**inputs), [weights @ x["memory"], weights])


def test_without_a_mask_every_position_is_allowed() -> None:
    inputs, attention = draw(SPECS), soft()
    everything = torch.ones_like(inputs["mask"])
    for result, expected in zip(
        attention(inputs["query"], inputs["memory"]),
        attention(inputs["query"], inputs["memory"], everything),
        strict=True,
    ):
        assert torch.equal(result, expected)


def test_row_that_allows_nothing_is_zero() -> None:
    inputs = draw(SPECS)
    context, weights = soft()(**inputs)
    assert not inputs["mask"][0, 0].any()
    assert (context[0, 0] == 0).all()
    assert (weights[0, 0] == 0).all()
    torch.testing.assert_close(weights.sum(-1).flatten()[1:], torch.ones(5, dtype=torch.float64))


def test_prepared_keys_give_the_same() -> None:
    inputs, attention = draw(SPECS), soft()
    keys = attention.score.prepare(inputs["memory"])
    assert torch.equal(attention(**inputs, keys=keys)[0], attention(**inputs)[0])


def test_mask() -> None:
    check_nothing_allowed(soft(), draw(SPECS))
    check_masked_is_ignored(soft(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(soft(), draw(SPECS))


def test_export_with_prepared_keys() -> None:
    check_export(soft(), {**SPECS, "keys": Spec(("batch", "source", 5))})
