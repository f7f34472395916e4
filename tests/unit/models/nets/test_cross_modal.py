"""Equals LXMERT's cross-modality layers where both directions share weights; masks and gradients both ways."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from transformers import LxmertConfig
from transformers.models.lxmert.modeling_lxmert import LxmertXLayer

from regard_models.nets.cross_modal import CrossModalConfig, CrossModalFusion
from tests.unit.models.nets.renaming import draw_parameters, renamed

NUM_REGIONS, NUM_WORDS = 6, 4
CONFIG = CrossModalConfig(
    width=16, num_heads=4, num_layers=2, feed_forward_width=24, region_width=10, text_width=12, norm_epsilon=1e-12
)


def original_names(theirs: str, ours: str) -> dict[str, str]:
    """One side of LxmertXLayer."""
    return {
        r"visual_attention\.att\.(query|key|value)": rf"{ours}.cross_attention.\1",
        r"visual_attention\.output\.dense": f"{ours}.cross_attention.output",
        r"visual_attention\.output\.LayerNorm": f"{ours}.cross_attention_sublayer.norm",
        rf"{theirs}_self_att\.self\.(query|key|value)": rf"{ours}.layer.self_attention.\1",
        rf"{theirs}_self_att\.output\.dense": f"{ours}.layer.self_attention.output",
        rf"{theirs}_self_att\.output\.LayerNorm": f"{ours}.layer.self_attention_sublayer.norm",
        rf"{theirs}_inter\.dense": f"{ours}.layer.feed_forward.inner",
        rf"{theirs}_output\.dense": f"{ours}.layer.feed_forward.outer",
        rf"{theirs}_output\.LayerNorm": f"{ours}.layer.feed_forward_sublayer.norm",
    }


def from_original(layers: list[LxmertXLayer]) -> Iterator[tuple[str, Tensor]]:
    for index, layer in enumerate(layers):
        for theirs, other, ours in (("visn", "lang", "regions"), ("lang", "visn", "text")):
            own = {name: x for name, x in layer.state_dict().items() if not name.startswith(other)}
            yield from renamed(own, original_names(theirs, f"{ours}.{index}")).items()


@pytest.fixture
def net() -> CrossModalFusion:
    torch.manual_seed(0)
    fusion = CrossModalFusion(CONFIG)
    draw_parameters(fusion)
    return fusion.eval()


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(3, NUM_REGIONS, 10), torch.randn(3, NUM_WORDS, 12)


def test_equals_the_original(net, inputs) -> None:
    config = LxmertConfig(hidden_size=16, num_attention_heads=4, intermediate_size=24)
    layers = [LxmertXLayer(config).eval() for _ in range(2)]
    for layer in layers:
        draw_parameters(layer)
    net.load_state_dict(dict(from_original(layers)), strict=False)
    visual, language = net.region_projection(inputs[0]), net.text_projection(inputs[1])
    first_weights = None
    for layer in layers:
        language, visual, weights = layer(language, None, visual, None, output_attentions=True)[:3]
        first_weights = weights if first_weights is None else first_weights
    output = net(*inputs, need_weights=True)
    torch.testing.assert_close(output.regions, visual, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.text, language, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.text_to_regions[0], first_weights, atol=1e-6, rtol=1e-5)


def test_each_side_regards_all_of_the_other(net, inputs) -> None:
    output = net(*inputs, need_weights=True)
    assert [w.shape for w in output.regions_to_text] == [(3, 4, NUM_REGIONS, NUM_WORDS)] * 2
    assert [w.shape for w in output.text_to_regions] == [(3, 4, NUM_WORDS, NUM_REGIONS)] * 2
    for weights in (*output.regions_to_text, *output.text_to_regions):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    plain = net(*inputs)
    assert plain.regions_to_text == plain.text_to_regions == []
    torch.testing.assert_close(plain.regions, output.regions, atol=1e-5, rtol=1e-5)


def test_masked_positions_of_either_side_change_nothing(net, inputs) -> None:
    regions, text = inputs
    alone = net(regions[:, :4], text[:, :3])
    region_mask, text_mask = torch.arange(NUM_REGIONS)[None] < 4, torch.arange(NUM_WORDS)[None] < 3
    masked = net(regions, text, region_mask.expand(3, -1), text_mask.expand(3, -1), need_weights=True)
    torch.testing.assert_close(masked.regions[:, :4], alone.regions, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(masked.text[:, :3], alone.text, atol=1e-5, rtol=1e-5)
    assert all(weights[..., 3:].abs().max() == 0 for weights in masked.regions_to_text)
    assert all(weights[..., 4:].abs().max() == 0 for weights in masked.text_to_regions)


def test_each_side_depends_on_the_other(net, inputs) -> None:
    regions, text = (x.clone().requires_grad_() for x in inputs)
    output = net(regions, text)
    (on_text,) = torch.autograd.grad(output.regions.pow(3).sum(), text, retain_graph=True)
    (on_regions,) = torch.autograd.grad(output.text.pow(3).sum(), regions)
    assert on_text.abs().amin(dim=(0, 1)).min() > 0
    assert on_regions.abs().amin(dim=(0, 1)).min() > 0


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_gradients_equal_finite_differences(norm) -> None:
    torch.manual_seed(0)
    config = CrossModalConfig(
        width=4, num_heads=2, num_layers=1, feed_forward_width=4, region_width=3, text_width=2, norm=norm,
        norm_epsilon=1e-5,
    )  # fmt: skip
    net = CrossModalFusion(config).double()
    regions, text = torch.randn(1, 3, 3).double().requires_grad_(), torch.randn(1, 2, 2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda v, w: (lambda o: (o.regions, o.text))(net(v, w)), (regions, text))
