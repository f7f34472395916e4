import numpy as np
import pytest
import torch

from regard_models.attention.adaptive_span import AdaptiveSpanAttention
from regard_models.attention.multi_head import MultiHeadAttention
from tests.unit.models.attention.helpers import (
    Spec,
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

SPECS = in_heads(8)
SHARES = [0.0, 0.3, 0.55, 1.5]  # of four positions; the last one is beyond the largest span


def adaptive(shares: list[float] = SHARES) -> AdaptiveSpanAttention:
    module = seeded(AdaptiveSpanAttention(8, 4, max_span=4, ramp=2))
    module.span_share.data = torch.tensor(shares, dtype=torch.float64)
    return module


def test_equals_numpy() -> None:
    inputs, module = draw(SPECS), adaptive()
    p, x = arrays(module.state_dict()), arrays(inputs)
    names = {"query": "query", "key": "memory", "value": "memory"}
    q, k, v = (x[of] @ p[f"{name}.weight"].T + p[f"{name}.bias"] for name, of in names.items())
    distances = np.abs(np.arange(5) - np.arange(3)[:, None])
    contexts, all_weights = [], []
    for head, share in enumerate(SHARES):
        part, z = slice(2 * head, 2 * head + 2), min(share, 1) * 4
        m = np.clip((2 + z - distances) / 2, 0, 1)
        plain = softmax(q[..., part] @ k[..., part].swapaxes(1, 2) / 2**0.5, x["mask"][:, 0])
        total = (m * plain).sum(-1, keepdims=True)
        all_weights.append(np.divide(m * plain, total, out=np.zeros_like(plain), where=total > 0))
        contexts.append(all_weights[-1] @ v[..., part])
    context = np.concatenate(contexts, -1) @ p["output.weight"].T + p["output.bias"]
    check_equal(module(**inputs), [context, np.stack(all_weights, 1)])


def test_weights_end_behind_the_span() -> None:
    module = AdaptiveSpanAttention(8, 4, max_span=10, ramp=3)
    _, weights = module(torch.randn(1, 40, 8), torch.randn(1, 40, 8))
    distances = (torch.arange(40) - torch.arange(40)[:, None]).abs()
    assert (weights[..., distances >= 3] == 0).all()
    assert (weights[..., distances < 3] > 0).all()


def test_the_largest_span_is_multi_head_attention() -> None:
    inputs, module = draw(SPECS), adaptive([1.0] * 4)
    plain = MultiHeadAttention(8, 4).double()
    plain.load_state_dict({name: x for name, x in module.state_dict().items() if name != "span_share"})
    check_equal(module(**inputs), [x.detach().numpy() for x in plain(**inputs)])


def test_a_penalty_shortens_the_spans() -> None:
    module = adaptive([0.5] * 4)
    assert module.mean_span().item() == pytest.approx(2)
    (gradient,) = torch.autograd.grad(module.mean_span(), module.span_share)
    assert (gradient > 0).all()


@pytest.mark.parametrize("name", ["max_span", "ramp"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1; it is 0"):
        AdaptiveSpanAttention(8, 4, max_span=4 * (name != "max_span"), ramp=2 * (name != "ramp"))


def test_mask() -> None:
    check_nothing_allowed(adaptive(), draw(SPECS))
    check_masked_is_ignored(adaptive(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(adaptive([0.1, 0.3, 0.55, 0.9]), draw(SPECS))


def test_export() -> None:
    check_export(adaptive(), {**SPECS, "query_positions": Spec(("target",), "int", high=8)})
