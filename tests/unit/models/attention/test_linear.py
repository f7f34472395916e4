import numpy as np
import pytest
import torch

from regard_models.attention.linear import LinearAttention
from tests.unit.models.attention.helpers import (
    Array,
    Spec,
    Specs,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    largest_tensor,
    seeded,
)


def specs(causal: bool) -> Specs:
    target = "source" if causal else "target"
    return {
        "query": Spec(("batch", target, 8)),
        "memory": Spec(("batch", "source", 8)),
        "source_mask": Spec(("batch", "source"), "bool"),
    }


def linear(causal: bool) -> LinearAttention:
    return seeded(LinearAttention(8, 4, causal=causal))


both_forms = pytest.mark.parametrize("causal", [False, True])
both_ways = pytest.mark.parametrize("need_weights", [False, True])


def reference(p: dict[str, Array], x: dict[str, Array], *, causal: bool) -> tuple[Array, Array]:
    """Equation 4 of the paper, pair by pair."""
    names = {"query": "query", "key": "memory", "value": "memory"}
    q, k, v = (x[source] @ p[f"{name}.weight"].T + p[f"{name}.bias"] for name, source in names.items())
    phi_q, phi_k = (np.where(y > 0, y + 1, np.exp(y)) for y in (q, k))
    weights = np.zeros((len(q), 4, q.shape[1], k.shape[1]))
    context = np.zeros_like(q)
    for b, head, t in np.ndindex(weights.shape[:3]):
        columns = slice(2 * head, 2 * head + 2)
        for s in range(k.shape[1]):
            if x["source_mask"][b, s] and not (causal and s > t):
                weights[b, head, t, s] = phi_q[b, t, columns] @ phi_k[b, s, columns]
        weights[b, head, t] /= weights[b, head, t].sum() or 1
        context[b, t, columns] = weights[b, head, t] @ v[b, :, columns]
    return context @ p["output.weight"].T + p["output.bias"], weights


@both_forms
def test_equals_numpy(causal: bool) -> None:
    inputs, module = draw(specs(causal)), linear(causal)
    context, weights = reference(arrays(module.state_dict()), arrays(inputs), causal=causal)
    check_equal(module(**inputs, need_weights=True), [context, weights])
    result, none = module(**inputs)
    assert none is None
    check_equal([result], [context])


def test_step_by_step_gives_the_same() -> None:
    x, module = draw(specs(True))["memory"], linear(True)
    context, _ = module(x, x)
    state = None
    for t in range(x.shape[1]):
        step, state = module.step(x[:, t : t + 1], state)
        torch.testing.assert_close(step, context[:, t : t + 1])


@both_forms
def test_never_forms_the_weights(causal: bool) -> None:
    x = torch.randn(1, 256, 8)
    assert largest_tensor(LinearAttention(8, 1, causal=causal), query=x, memory=x) <= 256 * 8 * 8


@both_forms
@both_ways
def test_mask(causal: bool, need_weights: bool) -> None:
    inputs = draw(specs(causal))
    check_nothing_allowed(linear(causal), inputs, mask="source_mask", need_weights=need_weights)
    check_masked_is_ignored(linear(causal), inputs, mask="source_mask", need_weights=need_weights)


@both_forms
@both_ways
def test_gradients(causal: bool, need_weights: bool) -> None:
    check_gradients(linear(causal), draw(specs(causal)), need_weights=need_weights)


@both_forms
def test_export(causal: bool) -> None:
    check_export(linear(causal), specs(causal), ({"need_weights": True}, {"need_weights": False}))
