"""Equals SwinModel, on grids that windows divide and on others; windows, shifts and gradients."""

from typing import Any

import pytest
import torch
from transformers import SwinConfig as OriginalConfig
from transformers import SwinModel

from regard_models.nets.swin import SEPARATE, Swin, SwinConfig, inverse_index, merge_index, separations, window_index
from tests.unit.models.nets.renaming import draw_parameters, renamed

LAYER = r"encoder\.layers\.(\d+)\.blocks\.(\d+)\."
OURS = r"stages.\1.\2.layer."
NAMES = {
    r"embeddings\.patch_embeddings\.projection": "patches",
    r"embeddings\.norm": "patch_norm",
    r"embeddings\.position_embeddings": "positions",
    LAYER + r"attention\.q_proj": OURS + "self_attention.query",
    LAYER + r"attention\.k_proj": OURS + "self_attention.key",
    LAYER + r"attention\.v_proj": OURS + "self_attention.value",
    LAYER + r"attention\.o_proj": OURS + "self_attention.output",
    LAYER + r"attention\.relative_position_bias\.relative_position_bias_table": r"stages.\1.\2.distances.table",
    LAYER + r"layernorm_before": OURS + "self_attention_sublayer.norm",
    LAYER + r"layernorm_after": OURS + "feed_forward_sublayer.norm",
    LAYER + r"mlp\.fc1": OURS + "feed_forward.inner",
    LAYER + r"mlp\.fc2": OURS + "feed_forward.outer",
    r"encoder\.layers\.(\d+)\.downsample\.norm": r"merges.\1.norm",
    r"encoder\.layers\.(\d+)\.downsample\.reduction": r"merges.\1.reduction",
    r"layernorm": "encoder_norm",
}


def tiny_config(**options: Any) -> SwinConfig:
    sizes = {"patch_width": 8, "depths": (2, 2), "num_heads": (2, 4), "window": 2, "feed_forward_ratio": 2.0}
    return SwinConfig(**{**sizes, "image_height": 16, "image_width": 16, "patch_size": 2, **options})


@pytest.mark.parametrize(
    ("side", "window", "absolute"), [(16, 2, False), (16, 4, True), (20, 3, False), (18, 4, False), (12, 3, True)]
)
def test_equals_the_original(side: int, window: int, absolute: bool) -> None:
    torch.manual_seed(0)
    original = SwinModel(
        OriginalConfig(  # type: ignore[call-arg]  # attn_implementation is one of its **kwargs
            embed_dim=8, depths=[2, 2], num_heads=[2, 4], window_size=window, mlp_ratio=2.0, image_size=side,
            patch_size=2, use_absolute_embeddings=absolute, attn_implementation="eager",
        ),
        add_pooling_layer=False,
    ).eval()  # fmt: skip
    draw_parameters(original)
    config = tiny_config(window=window, image_height=side, image_width=side, absolute_positions=absolute)
    net = Swin(config).eval()
    weights = renamed(original.state_dict(), NAMES)
    net.load_state_dict({**weights, **({"positions": weights["positions"][0]} if absolute else {})})
    pixels = torch.randn(3, 3, side, side)
    states = net(pixels)
    assert states.shape == (3, config.num_positions, config.width)
    torch.testing.assert_close(states, original(pixels).last_hidden_state, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("grid", "window", "shift"), [((4, 6), 2, 0), ((4, 6), 2, 1), ((5, 7), 3, 1), ((3, 3), 3, 0)])
def test_windows_hold_every_position_once_and_give_it_back(grid: tuple[int, int], window: int, shift: int) -> None:
    index, num_positions = window_index(grid, window, shift), grid[0] * grid[1]
    assert sorted(index[index < num_positions].tolist()) == list(range(num_positions))
    assert (index.flatten()[inverse_index(index, num_positions)] == torch.arange(num_positions)).all()


def test_positions_attend_within_their_window_and_to_true_neighbours_only() -> None:
    grid, window, shift = (4, 4), 2, 1
    index, apart = window_index(grid, window, shift), separations(grid, window, shift)
    for positions, between in zip(index.tolist(), apart, strict=True):
        for i, one in enumerate(positions):
            for j, other in enumerate(positions):
                near = max(abs(one // 4 - other // 4), abs(one % 4 - other % 4)) < window
                assert between[i, j] == (0 if near else SEPARATE)


def test_four_positions_become_one() -> None:
    assert merge_index((2, 4)).tolist() == [[0, 4, 1, 5], [2, 6, 3, 7]]
    assert merge_index((3, 3))[-1].tolist() == [8, 9, 9, 9]


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    net = Swin(tiny_config(absolute_positions=True))
    draw_parameters(net)
    net(torch.randn(2, 3, 16, 16)).pow(3).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        # A key's bias adds the same to all of a row's scores, which the softmax takes back.
        assert parameter.grad.abs().max() > (0 if "key.bias" in name else 1e-6), name


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="15 pixels are not a whole number of patches of 2"):
        Swin(tiny_config(image_width=15))
    with pytest.raises(ValueError, match="a window of 5 is larger than the last stage's grid"):
        Swin(tiny_config(window=5))


def test_config_survives_json() -> None:
    assert SwinConfig.from_json(tiny_config().to_json()) == tiny_config()
