import numpy as np

from regard_models.attention.general import GeneralScore
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


def test_equals_numpy() -> None:
    inputs = draw(SPECS)
    x = arrays(inputs)
    score = seeded(GeneralScore(6, 4))
    matrix = arrays(score.state_dict())["key.weight"]
    expected = [[[q @ matrix @ k for k in x["memory"][b]] for q in x["query"][b]] for b in range(2)]
    check_equal([score(inputs["query"], score.prepare(inputs["memory"]))], [np.array(expected)])


def test_gradients() -> None:
    check_gradients(seeded(SoftAttention(GeneralScore(6, 4))), draw(SPECS))


def test_export() -> None:
    check_export(SoftAttention(GeneralScore(6, 4)), SPECS)
