import math

import torch

from regard_models.attention.scaled_dot import ScaledDotScore
from regard_models.attention.soft import SoftAttention
from tests.unit.models.attention.helpers import arrays, check_equal, check_export, check_gradients, draw, sequence

SPECS = sequence(4, 4)


def test_equals_numpy() -> None:
    inputs = draw(SPECS)
    x = arrays(inputs)
    score = ScaledDotScore()
    check_equal(
        [score(inputs["query"], score.prepare(inputs["memory"]))],
        [(x["query"][:, :, None] * x["memory"][:, None]).sum(-1) / math.sqrt(4)],
    )


def test_variance_does_not_grow_with_the_width() -> None:
    generator = torch.Generator().manual_seed(0)
    score = ScaledDotScore()
    for width in (4, 256):
        query, memory = torch.randn(2, 1, 300, width, generator=generator)
        assert 0.9 < score(query, score.prepare(memory)).var() < 1.1


def test_gradients() -> None:
    check_gradients(SoftAttention(ScaledDotScore()), draw(SPECS))


def test_export() -> None:
    check_export(SoftAttention(ScaledDotScore()), SPECS)
