import numpy as np
import torch

from regard_models.attention.pointer import PointerGenerator
from tests.unit.models.attention.helpers import (
    Spec,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    draw,
    seeded,
)

SPECS = {
    "context": Spec(("batch", "target", 4)),
    "query": Spec(("batch", "target", 3)),
    "inputs": Spec(("batch", "target", 2)),
    "vocabulary": Spec(("batch", "target", 6)),
    "weights": Spec(("batch", "target", "source")),
    "source_ids": Spec(("batch", "source"), "int", high=8),  # the vocabulary lacks two of them
}


def pointer() -> PointerGenerator:
    return seeded(PointerGenerator(4, 3, 2))


def inputs() -> dict[str, torch.Tensor]:
    drawn = draw(SPECS)
    return {**drawn, "vocabulary": drawn["vocabulary"].softmax(-1), "weights": drawn["weights"].softmax(-1)}


def test_equals_numpy() -> None:
    module, x = pointer(), arrays(inputs())
    p = arrays(module.state_dict())
    probabilities, copied = np.zeros((2, 3, 6 + 5)), np.zeros((2, 3, 5))
    for b, t in np.ndindex(2, 3):
        joined = np.concatenate([x["context"][b, t], x["query"][b, t], x["inputs"][b, t]])
        p_generate = 1 / (1 + np.exp(-(p["gate.weight"][0] @ joined + p["gate.bias"][0])))
        probabilities[b, t, :6] = p_generate * x["vocabulary"][b, t]
        for s in range(5):
            copied[b, t, s] = (1 - p_generate) * x["weights"][b, t, s]
            probabilities[b, t, x["source_ids"][b, s]] += copied[b, t, s]
    check_equal(module(**inputs()), [probabilities, copied])


def test_probabilities_sum_to_one() -> None:
    probabilities, _ = pointer()(**inputs())
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(2, 3, dtype=torch.float64))


def test_word_that_the_vocabulary_lacks_can_be_copied() -> None:
    drawn = inputs()
    drawn["source_ids"][0] = torch.tensor([1, 6, 2, 7, 6])  # the first unknown word occurs twice in the source
    probabilities, copied = pointer()(**drawn)
    torch.testing.assert_close(probabilities[0, :, 6], copied[0, :, 1] + copied[0, :, 4])
    torch.testing.assert_close(probabilities[0, :, 7], copied[0, :, 3])
    assert (probabilities[0, :, 8:] == 0).all()


def test_row_that_attended_to_nothing_copies_nothing() -> None:
    drawn = inputs()
    drawn["weights"][0, 0] = 0
    probabilities, copied = pointer()(**drawn)
    assert (copied[0, 0] == 0).all()
    assert (probabilities[0, 0, 6:] == 0).all()


def test_gradients() -> None:
    check_gradients(pointer(), inputs())


def test_export() -> None:
    check_export(pointer(), SPECS)
