from regard_models.attention.dot import DotScore
from regard_models.attention.soft import SoftAttention
from tests.unit.models.attention.helpers import arrays, check_equal, check_export, check_gradients, draw, sequence

SPECS = sequence(4, 4)


def test_equals_numpy() -> None:
    inputs = draw(SPECS)
    x = arrays(inputs)
    score = DotScore()
    check_equal(
        [score(inputs["query"], score.prepare(inputs["memory"]))],
        [(x["query"][:, :, None] * x["memory"][:, None]).sum(-1)],
    )


def test_gradients() -> None:
    check_gradients(SoftAttention(DotScore()), draw(SPECS))


def test_export() -> None:
    check_export(SoftAttention(DotScore()), SPECS)
