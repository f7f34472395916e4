import numpy as np
import torch

from regard_models.attention.general import GeneralScore
from regard_models.attention.local_monotonic import LocalMonotonicAttention
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


def local(radius: int = 1) -> LocalMonotonicAttention:
    return seeded(LocalMonotonicAttention(GeneralScore(6, 4), radius))


def test_equals_numpy() -> None:
    inputs, attention = draw(SPECS), local()
    scores = attention.score(inputs["query"], attention.score.prepare(inputs["memory"]))
    x = arrays({**inputs, "scores": scores})
    window = np.array([[abs(s - t) <= 1 for s in range(5)] for t in range(3)])
    weights = softmax(x["scores"], x["mask"] & window)
    check_equal(attention(**inputs), [weights @ x["memory"], weights])


def test_step_by_step_gives_the_same() -> None:
    inputs, attention = draw(SPECS), local()
    context, _ = attention(inputs["query"], inputs["memory"])
    for t in range(3):
        step, _ = attention(inputs["query"][:, t : t + 1], inputs["memory"], positions=torch.tensor([t]))
        torch.testing.assert_close(step, context[:, t : t + 1])


def test_past_the_end_of_the_source_there_is_nothing() -> None:
    query, memory = torch.randn(1, 1, 6).double(), torch.randn(1, 5, 4).double()
    for position, holds_something in ((5, True), (6, False)):
        context, weights = local()(query, memory, positions=torch.tensor([[position]]))
        assert weights.any() == holds_something
        assert context.any() == holds_something


def test_mask() -> None:
    check_nothing_allowed(local(), draw(SPECS))
    check_masked_is_ignored(local(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(local(), draw(SPECS))


def test_export() -> None:
    check_export(local(2), {**SPECS, "positions": Spec(("batch", "target"), "int", high=4)})
