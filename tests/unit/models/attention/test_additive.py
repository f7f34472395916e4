import numpy as np
import pytest

from regard_models.attention.additive import AdditiveScore
from regard_models.attention.soft import SoftAttention
from tests.unit.models.attention.helpers import (
    arrays,
    check_equal,
    check_export,
    check_gradients,
    draw,
    seeded,
    sequence,
)

SPECS = sequence(6, 4)


@pytest.mark.parametrize("bias", [False, True])
def test_equals_numpy(bias: bool) -> None:
    inputs = draw(SPECS)
    x = arrays(inputs)
    score = seeded(AdditiveScore(6, 4, 5, bias=bias))
    p = arrays(score.state_dict())
    b, v = p.get("key.bias", np.zeros(5)), p["energy.weight"][0]
    expected = [
        [[v @ np.tanh(p["query.weight"] @ q + p["key.weight"] @ k + b) for k in x["memory"][i]] for q in x["query"][i]]
        for i in range(2)
    ]
    check_equal([score(inputs["query"], score.prepare(inputs["memory"]))], [np.array(expected)])


def test_is_the_concat_score_of_luong() -> None:
    inputs = draw(SPECS)
    x = arrays(inputs)
    score = seeded(AdditiveScore(6, 4, 5))
    p = arrays(score.state_dict())
    joined = np.concatenate([p["query.weight"], p["key.weight"]], axis=1)
    expected = [
        [
            [p["energy.weight"][0] @ np.tanh(joined @ np.concatenate([q, k])) for k in x["memory"][i]]
            for q in x["query"][i]
        ]
        for i in range(2)
    ]
    check_equal([score(inputs["query"], score.prepare(inputs["memory"]))], [np.array(expected)])


def test_gradients() -> None:
    check_gradients(seeded(SoftAttention(AdditiveScore(6, 4, 5))), draw(SPECS))


def test_export() -> None:
    check_export(SoftAttention(AdditiveScore(6, 4, 5)), SPECS)
