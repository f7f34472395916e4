"""Our detector: its weights without normalizations, its candidates, and how far a cell sees."""

import pytest
import torch

from regard_models.nets.detector import NO_OBJECT, Detector, DetectorConfig, DetectorOutput

CONFIG = DetectorConfig(("a", "b"), image_size=48, widths=(4, 6, 8), inner_channels=3)


def net_of(config: DetectorConfig = CONFIG, *, has_norms: bool = False) -> Detector:
    torch.manual_seed(0)
    return Detector(config, has_norms=has_norms)


@torch.inference_mode()
def test_folded_weights_compute_the_same_without_normalizations() -> None:
    net, pixels = net_of(has_norms=True), torch.randn(3, 3, 48, 48)
    net.train()
    for _ in range(3):
        net(pixels)
    net.eval()
    folded = Detector(CONFIG)
    folded.load_state_dict(net.folded_weights())
    expected, found = net(pixels), folded.eval()(pixels)
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.geometry, expected.geometry, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize("is_non_local", [False, True])
def test_only_the_non_local_block_sees_beyond_the_reach_of_the_convolutions(is_non_local: bool) -> None:
    config = DetectorConfig(("a",), is_non_local=is_non_local)
    net, pixels = net_of(config).eval(), torch.randn(1, 3, 80, 80)
    first, last = 4 * 10, 4 * 10 + 3  # pixels of the cells in column 10
    beyond = pixels.clone()
    beyond[..., : first - config.reach] = 0
    beyond[..., last + config.reach + 1 :] = 0
    within = pixels.clone()
    within[..., first - config.reach] = 0
    expected = net(pixels).logits[..., 10]
    assert torch.equal(net(beyond).logits[..., 10], expected) != is_non_local
    assert not torch.equal(net(within).logits[..., 10], expected)


@torch.inference_mode()
def test_weights_of_the_block_are_those_of_its_cells() -> None:
    output = net_of().eval()(torch.randn(2, 3, 48, 48))
    assert output.weights is not None
    assert output.weights.shape == (2, 144, 144)
    torch.testing.assert_close(output.weights.sum(dim=-1), torch.ones(2, 144))


def test_an_object_has_one_candidate_where_its_cell_is() -> None:
    logits = torch.full((1, 2, 3, 4), -5.0)
    logits[0, 1, 1, 2], logits[0, 1, 1, 3] = 4.0, 2.0  # the neighbour is less sure
    geometry = torch.zeros(1, 4, 3, 4)
    geometry[0, 2] = 20.0
    candidates, boxes = DetectorOutput(logits, geometry, None).decoded()
    assert (candidates[0, :, 1] > 0).nonzero().flatten().tolist() == [6]
    assert candidates[0, 7, 1] == NO_OBJECT
    assert candidates[0, 0, 0] == -5.0  # no neighbour is surer
    torch.testing.assert_close(boxes[0, 6], torch.tensor([2.5 / 4, 1.5 / 3, 1.0, 0.5]))


def test_configs_are_written_and_read_back() -> None:
    assert DetectorConfig.from_json(CONFIG.to_json() | {"labels": ["a", "b"], "widths": [4, 6, 8]}) == CONFIG
    with pytest.raises(ValueError, match="image_size is 50; it must be a multiple of 4"):
        DetectorConfig(("a",), image_size=50)
