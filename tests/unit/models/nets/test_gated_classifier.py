"""Our gated classifier: its weights without normalizations, its gates, and how far a cell sees without them."""

import pytest
import torch

from regard_models.nets.gated_classifier import Gate, GatedClassifier, GatedClassifierConfig


def config_of(gate: Gate = "cbam", *, image_size: int = 32, depth: int = 2) -> GatedClassifierConfig:
    return GatedClassifierConfig(("a", "b", "c"), image_size, (4, 16), depth, gate)


def net_of(config: GatedClassifierConfig, *, has_norms: bool = False) -> GatedClassifier:
    torch.manual_seed(0)
    return GatedClassifier(config, has_norms=has_norms)


@torch.inference_mode()
@pytest.mark.parametrize("gate", ["none", "squeeze_excitation", "cbam"])
def test_folded_weights_compute_the_same_without_normalizations(gate: Gate) -> None:
    net, pixels = net_of(config_of(gate), has_norms=True), torch.randn(3, 3, 32, 32)
    net.train()
    for _ in range(3):
        net(pixels)
    net.eval()
    folded = GatedClassifier(config_of(gate))
    folded.load_state_dict(net.folded_weights())
    torch.testing.assert_close(folded.eval()(pixels).logits, net(pixels).logits, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_each_layer_has_its_gates() -> None:
    pixels = torch.randn(2, 3, 32, 32)
    gates: tuple[Gate, ...] = ("cbam", "squeeze_excitation", "none")
    both, channels, none = (net_of(config_of(gate))(pixels) for gate in gates)
    assert channels.spatial is none.channel is none.spatial is None
    for found, shape in ((both.channel, (2, 2, 16)), (channels.channel, (2, 2, 16)), (both.spatial, (2, 2, 8, 8))):
        assert found is not None
        assert found.shape == shape
        assert ((found > 0) & (found < 1)).all()


@torch.inference_mode()
@pytest.mark.parametrize("gate", ["none", "squeeze_excitation", "cbam"])
def test_only_gates_carry_what_lies_beyond_the_reach_of_the_convolutions(gate: Gate) -> None:
    config = config_of(gate, image_size=64, depth=2)
    net, pixels = net_of(config), torch.randn(1, 3, 64, 64)
    seen: list[torch.Tensor] = []
    net.layers[-1].register_forward_hook(lambda module, args, output: seen.append(output))
    first, last = 4 * 8, 4 * 8 + 3  # pixels of the cells in column 8
    beyond = pixels.clone()
    beyond[..., : first - config.reach] = 0
    beyond[..., last + config.reach + 1 :] = 0
    within = pixels.clone()
    within[..., first - config.reach] = 0
    for each in (pixels, beyond, within):
        net(each)
    whole, far, near = (features[..., 8] for features in seen)
    assert torch.equal(far, whole) == (gate == "none")
    assert not torch.equal(near, whole)


def test_configs_are_written_and_read_back() -> None:
    config = config_of()
    written = config.to_json() | {"labels": ["a", "b", "c"], "widths": [4, 16]}  # as JSON has them
    assert GatedClassifierConfig.from_json(written) == config
    with pytest.raises(ValueError, match="image_size is 50; it must be a multiple of 4"):
        config_of(image_size=50)
    with pytest.raises(ValueError, match="depth is 0; it must be at least 1"):
        config_of(depth=0)
    with pytest.raises(ValueError, match="gate is 'x'; it must be one of none, squeeze_excitation, cbam"):
        GatedClassifierConfig.from_json(written | {"gate": "x"})
