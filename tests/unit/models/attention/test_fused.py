import torch
from torch import nn

from regard_models.attention.fused import fused_attention
from regard_models.attention.multi_head import MultiHeadAttention
from tests.unit.models.attention.helpers import (
    Spec,
    arrays,
    check_equal,
    check_export,
    check_gradients,
    draw,
    largest_tensor,
    softmax,
)

SPECS = {
    "q": Spec(("batch", 2, "target", 4)),
    "k": Spec(("batch", 2, "source", 4)),
    "v": Spec(("batch", 2, "source", 4)),
    "mask": Spec(("batch", 1, "target", "source"), "bool"),
    "score_bias": Spec((1, 2, "target", "source")),
}


class Fused(nn.Module):
    """The function as a module, for the checks."""

    def forward(self, **inputs: torch.Tensor) -> tuple[torch.Tensor, None]:
        return fused_attention(**inputs, scale=0.7)


def test_equals_numpy() -> None:
    inputs = draw(SPECS)
    x = arrays(inputs)
    scores = x["q"] @ x["k"].swapaxes(-1, -2) * 0.7 + x["score_bias"]
    check_equal(Fused()(**inputs)[:1], [softmax(scores, x["mask"]) @ x["v"]])


def test_row_that_allows_nothing_is_zero() -> None:
    inputs = draw(SPECS)
    assert not inputs["mask"][0, 0, 0].any()
    assert (Fused()(**inputs)[0][0, :, 0] == 0).all()


def test_never_forms_the_weights() -> None:
    x = torch.randn(1, 256, 8)
    assert largest_tensor(MultiHeadAttention(8, 1), query=x, memory=x) >= 256 * 256
    assert largest_tensor(MultiHeadAttention(8, 1), query=x, memory=x, need_weights=False) < 256 * 256


def test_gradients() -> None:
    check_gradients(Fused(), draw(SPECS))


def test_export() -> None:
    check_export(Fused(), SPECS)
