import pytest
import torch

from regard_models.attention.multi_head import MultiHeadAttention
from tests.unit.models.attention.helpers import (
    arrays,
    check_equal,
    check_export,
    check_gradients,
    check_masked_is_ignored,
    check_nothing_allowed,
    draw,
    in_heads,
    multi_head,
    seeded,
)

SPECS = in_heads(8)
both_ways = pytest.mark.parametrize("need_weights", [True, False])


def attention() -> MultiHeadAttention:
    return seeded(MultiHeadAttention(8, 4))


def test_equals_numpy() -> None:
    inputs, module = draw(SPECS), attention()
    expected = multi_head(arrays(module.state_dict()), arrays(inputs), 4)
    check_equal(module(**inputs), expected)
    context, weights = module(**inputs, need_weights=False)
    assert weights is None
    check_equal([context], expected[:1])


def test_self_attention_with_a_causal_mask_sees_no_future() -> None:
    x, module = draw(SPECS)["memory"], attention()
    causal = torch.ones(5, 5, dtype=torch.bool).tril()
    context, weights = module(x, x, causal)
    check_equal([context[:, :3]], [module(x[:, :3], x[:, :3], causal[:3, :3])[0].detach().numpy()])
    assert (weights.triu(1) == 0).all()


@both_ways
def test_score_bias_is_added(need_weights: bool) -> None:
    inputs, module = draw(SPECS), attention()
    bias = torch.randn(1, 4, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    expected, _ = multi_head(arrays(module.state_dict()), arrays(inputs), 4, bias=bias[0].numpy())
    check_equal([module(**inputs, score_bias=bias, need_weights=need_weights)[0]], [expected])
    without_mask = {name: x for name, x in inputs.items() if name != "mask"}
    expected, _ = multi_head(arrays(module.state_dict()), arrays(without_mask), 4, bias=bias[0].numpy())
    check_equal([module(**without_mask, score_bias=bias, need_weights=need_weights)[0]], [expected])


@both_ways
def test_row_that_allows_nothing_gives_the_output_bias(need_weights: bool) -> None:
    inputs, module = draw(SPECS), attention()
    context, weights = module(**inputs, need_weights=need_weights)
    torch.testing.assert_close(context[0, 0], module.output.bias.detach())
    if need_weights:
        assert (weights[0, :, 0] == 0).all()


def test_names_of_parameters_are_those_of_checkpoints() -> None:
    names = {f"{name}.{kind}" for name in ("query", "key", "value", "output") for kind in ("weight", "bias")}
    assert attention().state_dict().keys() == names


def test_width_that_is_no_multiple_is_refused() -> None:
    with pytest.raises(ValueError, match="width 8 is not a multiple of num_heads 3"):
        MultiHeadAttention(8, 3)


@both_ways
def test_mask(need_weights: bool) -> None:
    check_nothing_allowed(attention(), draw(SPECS), need_weights=need_weights)
    check_masked_is_ignored(attention(), draw(SPECS), need_weights=need_weights)


@both_ways
def test_gradients(need_weights: bool) -> None:
    check_gradients(attention(), draw(SPECS), need_weights=need_weights)


def test_export() -> None:
    check_export(attention(), SPECS, ({"need_weights": True}, {"need_weights": False}))
