"""Plain, fused, chunked and grouped attention compute the same function."""

import pytest
import torch
from torch import Tensor, nn

from regard_models.attention.grouped_query import GroupedQueryAttention
from regard_models.attention.memory_efficient import MemoryEfficientAttention
from regard_models.attention.multi_head import MultiHeadAttention
from regard_models.attention.sparse import SparseAttention

LENGTHS = [(1, 1), (1, 17), (16, 16), (30, 13)]


def masks(target: int, source: int) -> list[Tensor | None]:
    generator = torch.Generator().manual_seed(target)
    padding = torch.arange(source) < torch.tensor([source, max(1, source - 3)])[:, None, None, None]
    random = torch.rand(2, 4, target, source, generator=generator) < 0.5
    random[0, :, 0] = False
    return [None, padding, random]


@pytest.mark.parametrize(("target", "source"), LENGTHS)
@pytest.mark.parametrize("kind", range(3), ids=["no mask", "padding", "random"])
def test_agree(target: int, source: int, kind: int) -> None:
    torch.manual_seed(0)
    plain, mask = MultiHeadAttention(16, 4), masks(target, source)[kind]
    query, memory = torch.randn(2, target, 16), torch.randn(2, source, 16)
    expected, _ = plain(query, memory, mask)

    torch.testing.assert_close(plain(query, memory, mask, need_weights=False)[0], expected)
    others: list[nn.Module] = [
        MemoryEfficientAttention(16, 4),
        MemoryEfficientAttention(16, 4, num_chunks=3),
        GroupedQueryAttention(16, 4, 4),
    ]
    for other in others:
        other.load_state_dict(plain.state_dict())
        torch.testing.assert_close(other(query, memory, mask)[0], expected)


@pytest.mark.parametrize("pattern", ["strided", "fixed"])
def test_sparse_agrees_with_plain_under_its_pattern(pattern: str) -> None:
    torch.manual_seed(0)
    plain, x = MultiHeadAttention(16, 4), torch.randn(2, 50, 16)
    sparse = SparseAttention(16, 4, pattern="strided" if pattern == "strided" else "fixed", stride=7, summary=2)
    sparse.load_state_dict(plain.state_dict())
    torch.testing.assert_close(sparse(x)[0], plain(x, x, sparse.allowed(50))[0])
