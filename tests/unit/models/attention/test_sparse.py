import numpy as np
import pytest
import torch

from regard_models.attention.multi_head import MultiHeadAttention
from regard_models.attention.sparse import Pattern, SparseAttention
from tests.unit.models.attention.helpers import (
    Array,
    Spec,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    largest_tensor,
    multi_head,
    seeded,
)

SPECS = {"x": Spec(("batch", "n", 8)), "source_mask": Spec(("batch", "n"), "bool")}
patterns = pytest.mark.parametrize("pattern", ["strided", "fixed"])
both_ways = pytest.mark.parametrize("need_weights", [False, True])


def sparse(pattern: Pattern, stride: int = 3, summary: int = 1) -> SparseAttention:
    return seeded(SparseAttention(8, 4, pattern=pattern, stride=stride, summary=summary))


def allowed(pattern: Pattern, n: int, stride: int, summary: int) -> Array:
    """The sets A(1) and A(2) of section 4.3."""
    result = np.zeros((n, n), bool)
    for i in range(n):
        if pattern == "strided":
            first = set(range(max(0, i - stride), i + 1))
            second = {j for j in range(i + 1) if (i - j) % stride == 0}
        else:
            first = {j for j in range(i + 1) if j // stride == i // stride}
            second = {j for j in range(i + 1) if j % stride in range(stride - summary, stride)}
        result[i, list(first | second)] = True
    return result


@patterns
@pytest.mark.parametrize(
    ("n", "stride", "summary"), [(7, 3, 1), (9, 3, 2), (1, 3, 1), (2, 3, 3), (11, 4, 2), (5, 1, 1), (12, 5, 1)]
)
def test_equals_numpy(pattern: Pattern, n: int, stride: int, summary: int) -> None:
    inputs, module = draw(SPECS, {"batch": 2, "n": n}), sparse(pattern, stride, summary)
    x = arrays(inputs)
    mask = allowed(pattern, n, stride, summary) & x["source_mask"][:, None, None]
    inputs_of_reference = {"query": x["x"], "memory": x["x"], "mask": mask}
    expected = multi_head(arrays(module.state_dict()), inputs_of_reference, 4)
    check_equal(module(**inputs, need_weights=True), expected)
    context, weights = module(**inputs)
    assert weights is None
    check_equal([context], expected[:1])


@patterns
def test_two_layers_connect_every_pair(pattern: Pattern) -> None:
    """The paper's criterion for a pattern: a path of two steps from each position to every later one."""
    pairs = SparseAttention(8, 4, pattern=pattern, stride=4).allowed(16).double()
    later = torch.ones(16, 16).tril() > 0
    assert ((pairs @ pairs > 0) == later).all()


@patterns
def test_computes_the_pattern_only(pattern: Pattern) -> None:
    x = torch.randn(1, 256, 8)
    module = SparseAttention(8, 1, pattern=pattern, stride=16)
    assert largest_tensor(module, x=x) <= 256 * (2 * 16 + 16)
    assert module.allowed(256).sum() <= 256 * (16 + 1 + 16)


@patterns
def test_stride_past_the_length_is_causal_attention(pattern: Pattern) -> None:
    x, module = draw(SPECS)["x"], sparse(pattern, stride=20)
    full = MultiHeadAttention(8, 4).double()
    full.load_state_dict(module.state_dict())
    expected, _ = full(x, x, torch.ones(7, 7, dtype=torch.bool).tril())
    check_equal(module(x)[:1], [expected.detach().numpy()])


def test_summary_longer_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="summary 4 is not between 1 and stride 3"):
        sparse("fixed", 3, 4)


@patterns
@both_ways
def test_mask(pattern: Pattern, need_weights: bool) -> None:
    module, inputs = sparse(pattern), draw(SPECS)
    check_nothing_allowed(module, inputs, mask="source_mask", need_weights=need_weights)
    check_masked_is_ignored(module, inputs, source="x", mask="source_mask", need_weights=need_weights)


@patterns
@both_ways
def test_gradients(pattern: Pattern, need_weights: bool) -> None:
    check_gradients(sparse(pattern), draw(SPECS), need_weights=need_weights)


@patterns
def test_export(pattern: Pattern) -> None:
    check_export(sparse(pattern), SPECS, ({"need_weights": True}, {"need_weights": False}))
