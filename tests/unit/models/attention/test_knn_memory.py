import numpy as np
import pytest
import torch

from regard_models.attention.knn_memory import KnnMemoryAttention
from regard_models.attention.multi_head import MultiHeadAttention
from tests.unit.models.attention.helpers import (
    Spec,
    Specs,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    in_heads,
    seeded,
    softmax,
)

SPECS: Specs = {
    **in_heads(8),
    "past_keys": Spec(("batch", 4, "n", 2)),
    "past_values": Spec(("batch", 4, "n", 2)),
    "past_mask": Spec(("batch", "n"), "bool"),
}


def memorizing(num_neighbours: int = 3) -> KnnMemoryAttention:
    return seeded(KnnMemoryAttention(8, 4, num_neighbours=num_neighbours))


@pytest.mark.parametrize("num_neighbours", [1, 3, 20])
def test_equals_numpy(num_neighbours: int) -> None:
    inputs, module = draw(SPECS), memorizing(num_neighbours)
    p, x = arrays(module.state_dict()), arrays(inputs)
    names = {"query": "query", "key": "memory", "value": "memory"}
    q, k, v = (x[of] @ p[f"{name}.weight"].T + p[f"{name}.bias"] for name, of in names.items())
    context, weights = np.zeros((2, 3, 8)), np.zeros((2, 4, 3, 7 + 5))
    for b, h, t in np.ndindex(2, 4, 3):
        part, mask = slice(2 * h, 2 * h + 2), x["mask"][b, 0, t]
        local = softmax(k[b, :, part] @ q[b, t, part] / 2**0.5, mask)
        scores = x["past_keys"][b, h] @ q[b, t, part] / 2**0.5
        allowed = [n for n in range(7) if x["past_mask"][b, n]]
        nearest = sorted(allowed, key=lambda n: -scores[n])[:num_neighbours]
        past = softmax(scores, np.isin(np.arange(7), nearest))
        gate = 1 / (1 + np.exp(-p["gate"][h])) if mask.any() else 1.0
        gate = gate if nearest else 0.0
        weights[b, h, t] = np.concatenate([gate * past, (1 - gate) * local])
        context[b, t, part] = gate * past @ x["past_values"][b, h] + (1 - gate) * local @ v[b, :, part]
    check_equal(module(**inputs), [context @ p["output.weight"].T + p["output.bias"], weights])


def test_an_empty_memory_is_multi_head_attention() -> None:
    inputs, module = draw(SPECS), memorizing()
    plain = MultiHeadAttention(8, 4).double()
    plain.load_state_dict({name: x for name, x in module.state_dict().items() if name != "gate"})
    expected = plain(inputs["query"], inputs["memory"], inputs["mask"])
    empty = {**inputs, "past_mask": torch.zeros_like(inputs["past_mask"])}
    context, weights = module(**empty)
    check_equal([context, weights[..., 7:]], [x.detach().numpy() for x in expected])
    nothing = {name: inputs[name][:, :, :0] for name in ("past_keys", "past_values")}
    check_equal(module(**{**inputs, **nothing, "past_mask": None}), [x.detach().numpy() for x in expected])


def test_what_it_remembers_are_its_keys_and_values() -> None:
    """A document's first half, remembered, is attended to as if it were still in the local context."""
    module, x = memorizing(20), torch.randn(1, 6, 8).double()
    keys, values = module.remember(x[:, :4])
    assert not keys.requires_grad
    assert keys.shape == values.shape == (1, 4, 4, 2)
    blind = torch.zeros(1, 1, 2, 2, dtype=torch.bool)
    context, _ = module(x[:, 4:], x[:, 4:], keys, values, blind)
    plain = MultiHeadAttention(8, 4).double()
    plain.load_state_dict({name: x for name, x in module.state_dict().items() if name != "gate"})
    torch.testing.assert_close(context, plain(x[:, 4:], x[:, :4])[0])


def test_no_neighbours_are_refused() -> None:
    with pytest.raises(ValueError, match="num_neighbours must be at least 1; it is 0"):
        KnnMemoryAttention(8, 4, num_neighbours=0)


def test_mask() -> None:
    inputs = draw(SPECS)
    check_nothing_allowed(memorizing(), {**inputs, "past_mask": torch.zeros_like(inputs["past_mask"])})
    check_masked_is_ignored(memorizing(), inputs)
    check_masked_is_ignored(memorizing(), inputs, source="past_keys", axis=2, mask="past_mask")


def test_gradients() -> None:
    check_gradients(memorizing(), draw(SPECS))


def test_export() -> None:
    check_export(memorizing(), SPECS)
