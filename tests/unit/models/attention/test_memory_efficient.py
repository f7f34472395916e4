import pytest
import torch

from regard_models.attention.memory_efficient import MemoryEfficientAttention
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
    largest_tensor,
    multi_head,
    seeded,
)

SPECS = in_heads(8)


def efficient(num_chunks: int = 2) -> MemoryEfficientAttention:
    return seeded(MemoryEfficientAttention(8, 4, num_chunks=num_chunks))


@pytest.mark.parametrize("num_chunks", [1, 2, 3, 7])
@pytest.mark.parametrize("masked", [True, False])
def test_equals_numpy(num_chunks: int, masked: bool) -> None:
    inputs, module = draw(SPECS), efficient(num_chunks)
    if not masked:
        del inputs["mask"]
    context, weights = module(**inputs)
    assert weights is None
    check_equal([context], multi_head(arrays(module.state_dict()), arrays(inputs), 4)[:1])


@pytest.mark.parametrize("shape", [(2, 1, 1, 5), (3, 5), (1, 1), (2, 4, 3, 5)])
def test_mask_is_broadcast(shape: tuple[int, ...]) -> None:
    inputs, module = draw(SPECS), efficient()
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(5)) < 0.7
    whole = mask.expand(2, 4, 3, 5)
    assert torch.equal(
        module(inputs["query"], inputs["memory"], mask)[0], module(inputs["query"], inputs["memory"], whole)[0]
    )


def test_scores_far_apart_do_not_overflow() -> None:
    module = efficient().float()
    x = torch.randn(1, 9, 8, generator=torch.Generator().manual_seed(0)) * 100
    assert module(x, x)[0].isfinite().all()


def test_never_forms_the_weights() -> None:
    x = torch.randn(1, 256, 8)
    assert largest_tensor(MemoryEfficientAttention(8, 1, num_chunks=16), query=x, memory=x) < 256 * 256 / 16


def test_mask() -> None:
    check_nothing_allowed(efficient(), draw(SPECS))
    check_masked_is_ignored(efficient(), draw(SPECS))


def test_gradients() -> None:
    check_gradients(efficient(), draw(SPECS))


def test_export() -> None:
    # A fixed batch and a mask of padding: tracing chunks takes longer with more dynamic axes.
    query, memory = Spec((2, "target", 8)), Spec((2, "source", 8))
    check_export(efficient(), {"query": query, "memory": memory, "mask": Spec((2, 1, 1, "source"), "bool")})
