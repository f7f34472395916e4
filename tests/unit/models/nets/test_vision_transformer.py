"""Equals ViTModel; class tokens, positions and weights are in the documented order; gradients reach everything."""

from typing import Any

import pytest
import torch
from transformers import ViTConfig, ViTModel

from regard_models.nets.vision_transformer import VisionTransformer, VisionTransformerConfig
from tests.unit.models.nets.renaming import draw_parameters, renamed

SIZES: dict[str, Any] = {"width": 16, "num_heads": 4, "num_layers": 2, "feed_forward_width": 24}
NAMES = {
    r"embeddings\.cls_token": "class_tokens",
    r"embeddings\.position_embeddings": "positions",
    r"embeddings\.patch_embeddings\.projection": "patches",
    r"layers\.(\d+)\.attention\.q_proj": r"encoder.\1.self_attention.query",
    r"layers\.(\d+)\.attention\.k_proj": r"encoder.\1.self_attention.key",
    r"layers\.(\d+)\.attention\.v_proj": r"encoder.\1.self_attention.value",
    r"layers\.(\d+)\.attention\.o_proj": r"encoder.\1.self_attention.output",
    r"layers\.(\d+)\.layernorm_before": r"encoder.\1.self_attention_sublayer.norm",
    r"layers\.(\d+)\.layernorm_after": r"encoder.\1.feed_forward_sublayer.norm",
    r"layers\.(\d+)\.mlp\.fc1": r"encoder.\1.feed_forward.inner",
    r"layers\.(\d+)\.mlp\.fc2": r"encoder.\1.feed_forward.outer",
    r"layernorm": "encoder_norm",
}


def tiny_net(**options: Any) -> VisionTransformer:
    torch.manual_seed(0)
    shape = {"image_height": 8, "image_width": 12, "patch_size": 4}
    net = VisionTransformer(VisionTransformerConfig(**{**SIZES, **shape, **options}))
    draw_parameters(net)
    return net.eval()


def test_equals_the_original() -> None:
    torch.manual_seed(0)
    options: dict[str, Any] = {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24, "image_size": 12,
        "patch_size": 4, "attn_implementation": "eager",
    }  # fmt: skip
    original = ViTModel(ViTConfig(**options), add_pooling_layer=False).eval()
    draw_parameters(original)
    net = VisionTransformer(
        VisionTransformerConfig(**SIZES, image_height=12, image_width=12, patch_size=4, norm_epsilon=1e-12)
    )
    weights = renamed(original.state_dict(), NAMES)
    net.load_state_dict({**weights, **{name: weights[name][0] for name in ("class_tokens", "positions")}})
    pixels = torch.randn(3, 3, 12, 12)
    expected = original(pixels, output_attentions=True)
    states, attention = net.eval()(pixels, need_weights=True)
    torch.testing.assert_close(states, expected.last_hidden_state, atol=1e-5, rtol=1e-5)
    for actual, weights_of_layer in zip(attention, expected.attentions, strict=True):
        torch.testing.assert_close(actual, weights_of_layer, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("class_tokens", [0, 1, 2])
def test_positions_are_class_tokens_then_patches_row_by_row(class_tokens) -> None:
    net = tiny_net(class_tokens=class_tokens)
    assert net.config.grid == (2, 3)
    assert net.config.num_positions == class_tokens + 6
    pixels = torch.randn(1, 3, 8, 12)
    before = net.embed(pixels)
    assert before.shape == (1, class_tokens + 6, 16)
    pixels[:, :, 4:, 8:] += 1  # the last patch of the second row
    changed = (net.embed(pixels) != before).any(-1)[0]
    assert changed.nonzero().flatten().tolist() == [class_tokens + 5]


def test_weights_are_distributions_and_cost_nothing_unless_wanted() -> None:
    net, pixels = tiny_net(), torch.randn(2, 3, 8, 12)
    states, attention = net(pixels, need_weights=True)
    assert [a.shape for a in attention] == [(2, 4, 7, 7)] * 2
    torch.testing.assert_close(attention[0].sum(-1), torch.ones(2, 4, 7))
    plain, nothing = net(pixels)
    assert nothing == []
    torch.testing.assert_close(plain, states, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{"relative_positions": True}, {"absolute_positions": False, "final_norm": False, "class_tokens": 0}]
)
def test_gradients_reach_every_parameter(options) -> None:
    net = tiny_net(**options)
    net(torch.randn(2, 3, 8, 12))[0].square().sum().backward()
    for name, parameter in net.named_parameters():
        if parameter.numel():
            assert parameter.grad is not None
            # A key's bias adds the same to all of a row's scores, which the softmax takes back.
            assert parameter.grad.abs().max() > (0 if "key.bias" in name else 1e-6), name


def test_a_picture_that_is_no_whole_number_of_patches_is_refused() -> None:
    with pytest.raises(ValueError, match="10 pixels are not a whole number of patches of 4"):
        tiny_net(image_width=10)


def test_config_survives_json() -> None:
    config = tiny_net(class_tokens=2).config
    assert VisionTransformerConfig.from_json(config.to_json()) == config
