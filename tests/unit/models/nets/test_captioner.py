"""Both captioners: whole captions agree with single steps, and all parts learn, including hard attention."""

import pytest
import torch
from torch import Tensor

from regard_models.nets.captioner_family import (
    CaptionerConfig,
    build,
    load_weights,
    read_config,
    stored_weights,
    write_config,
)
from regard_models.nets.captioner_lstm import LstmCaptioner, doubly_stochastic_penalty
from regard_models.recipes.captioner_data import CaptionBatch
from regard_models.recipes.captioner_losses import caption_loss
from tests.unit.export.captioner_checkpoints import (
    ALL_BLOCKS,
    TINY_ENCODER,
    tiny_captioner,
    tiny_lstm,
    tiny_transformer,
)

CONFIGS: dict[str, CaptionerConfig] = {
    "transformer": tiny_transformer(),
    "transformer with blocks": tiny_transformer(blocks=ALL_BLOCKS, encoder_layers=0, norm="post"),
    "soft": tiny_lstm(blocks=ALL_BLOCKS),
    "hard": tiny_lstm(attention="hard"),
    "straight_through": tiny_lstm(attention="straight_through"),
}
IMAGES, CAPTIONS, LENGTH, GRID = 3, 2, 5, TINY_ENCODER.grid
POSITIONS = GRID * GRID

every_captioner = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())


def _features(num_images: int = IMAGES) -> Tensor:
    return torch.randn(num_images, TINY_ENCODER.head_channels, GRID, GRID, generator=torch.Generator().manual_seed(1))


def _target() -> Tensor:
    return torch.randint(4, 400, (IMAGES, CAPTIONS, LENGTH), generator=torch.Generator().manual_seed(2))


@every_captioner
def test_steps_equal_the_whole(config: CaptionerConfig) -> None:
    net, target = tiny_captioner(config), _target()
    with torch.inference_mode():
        output = net(_features(), target)
        memory = tuple(x.repeat_interleave(CAPTIONS, dim=0) for x in net.memory(_features()))
        state = net.start(memory)
        for position in range(LENGTH):
            step = net.step(target.flatten(0, 1)[:, position], memory, state)
            state = step.state
            torch.testing.assert_close(step.logits, output.logits[:, :, position].flatten(0, 1), atol=1e-4, rtol=1e-4)
            for weights, expected in zip(step.cross_attention, output.cross_attention, strict=True):
                torch.testing.assert_close(weights, expected[:, :, :, position].flatten(0, 1))


@every_captioner
def test_attention_is_a_distribution_over_the_grid(config: CaptionerConfig) -> None:
    output = tiny_captioner(config)(_features(), _target())
    for weights in output.cross_attention:
        assert weights.shape[:2] == (IMAGES, CAPTIONS)
        assert weights.shape[3:] == (LENGTH, POSITIONS)
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


@every_captioner
def test_captions_of_an_image_do_not_meet(config: CaptionerConfig) -> None:
    net, target = tiny_captioner(config), _target()
    together = net(_features(), target).logits
    for caption in range(CAPTIONS):
        alone = net(_features(), target[:, caption : caption + 1]).logits[:, 0]
        torch.testing.assert_close(together[:, caption], alone, atol=1e-4, rtol=1e-4)


@every_captioner
def test_later_tokens_change_nothing_before(config: CaptionerConfig) -> None:
    net, target = tiny_captioner(config), _target()
    changed = target.clone()
    changed[:, :, 3:] += 1
    before, after = net(_features(), target).logits, net(_features(), changed).logits
    torch.testing.assert_close(before[:, :, :3], after[:, :, :3])
    assert not torch.allclose(before[:, :, 3], after[:, :, 3])


@every_captioner
def test_loss_reaches_every_trained_weight_and_leaves_the_encoder(config: CaptionerConfig) -> None:
    net = tiny_captioner(config).train()
    labels = _target()
    labels[0, 0, 3:] = -100
    caption_loss(net, CaptionBatch(_features(), _target(), labels)).backward()
    untouched = {name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum()}
    frozen = {name for name, p in net.named_parameters() if not p.requires_grad}
    assert frozen == {f"encoder.{name}" for name, _ in net.encoder.named_parameters()}
    assert {name for name in untouched - frozen if not name.endswith("key.bias")} == set()  # softmax ignores it


@every_captioner
def test_config_and_weights_survive_a_checkpoint(config: CaptionerConfig) -> None:
    net = tiny_captioner(config)
    assert read_config(write_config(config)) == config
    again = build(config).eval()
    load_weights(again, stored_weights(net))
    torch.testing.assert_close(again(_features(), _target()).logits, net(_features(), _target()).logits)


@pytest.mark.parametrize("options", [{"family": "regard-transformer"}, {"family": "regard-captioner-lstm", "wdith": 3}])
def test_configs_of_others_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="famil"):
        read_config(options)


def test_relative_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="relative"):
        tiny_transformer(positions="relative")


def test_doubly_stochastic_penalty() -> None:
    weights = torch.tensor([[[[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0], [0.3, 0.7]]]])  # [1, 2, 2, 2]
    mask = torch.tensor([[[True, True], [True, False]]])
    # The first caption attends to each position once; the second, of one token, only to the first: 0^2 + 1^2.
    torch.testing.assert_close(doubly_stochastic_penalty(weights, mask), torch.tensor(0.5))


@pytest.mark.parametrize("attention", ["hard", "straight_through"])
def test_hard_attention_learns_to_look(attention: str) -> None:
    """One position of the grid is bright, in one of four ways; the caption names the way, so attention must find it."""
    torch.manual_seed(0)
    net, (batch, positions) = build(tiny_lstm(attention=attention)), _marks()
    assert isinstance(net, LstmCaptioner)
    for layer in (net.first_hidden, net.first_cell):  # the mean of all positions would reveal it without attention
        torch.nn.init.zeros_(layer.weight).requires_grad_(False)
    first = _negative_log_likelihood(net, batch)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.003)
    for _ in range(300):
        net.train()
        loss = caption_loss(net, batch)
        assert torch.isfinite(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert _negative_log_likelihood(net, batch) < 0.2 * first
    with torch.inference_mode():
        looked_at = net(batch.features, batch.target).cross_attention[0][:, 0, 0, 0].argmax(-1)
    assert (looked_at == positions).float().mean() > 0.7  # one of four kinds may be inferred from its absence


def _marks() -> tuple[CaptionBatch, Tensor]:
    """Makes 64 images with one token each; returns the bright positions too."""
    generator = torch.Generator().manual_seed(3)
    positions = torch.randint(0, POSITIONS, (64,), generator=generator)
    kinds = torch.randint(0, 4, (64,), generator=generator)
    features = 0.1 * torch.randn(64, TINY_ENCODER.head_channels, POSITIONS, generator=generator)
    features[torch.arange(64), kinds, positions] = 6.0
    labels = (10 + kinds)[:, None, None]
    return CaptionBatch(features.unflatten(2, (GRID, GRID)), torch.ones_like(labels), labels), positions


@torch.inference_mode()
def _negative_log_likelihood(net: LstmCaptioner, batch: CaptionBatch) -> float:
    log_probs = net.eval()(batch.features, batch.target).logits.log_softmax(-1)
    return float(-log_probs.gather(3, batch.labels[..., None]).mean())
