"""Single steps equal whole passes, padding changes nothing, gradients reach every parameter."""

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from regard_models.nets.recurrent import (
    CellName,
    RecurrentConfig,
    RecurrentTranslator,
    ScoreName,
    Style,
    load_translator,
)

VOCABULARY, NUM_SOURCE, NUM_TARGET = 23, 7, 5
VARIANTS = list(product(("bahdanau", "luong"), ("dot", "scaled_dot", "general", "additive"), ("lstm", "gru")))


def tiny_net(
    style: Style, score: ScoreName, cell: CellName, *, dropout: float = 0.0, **sizes: Any
) -> RecurrentTranslator:
    torch.manual_seed(0)
    defaults = {"width": 6, "encoder_width": 4, "decoder_width": 8, "score_width": 5}
    config = RecurrentConfig(VOCABULARY, **{**defaults, **sizes}, style=style, score=score, cell=cell)
    return RecurrentTranslator(config, dropout=dropout).double().eval()


@pytest.fixture(params=VARIANTS, ids=" ".join)
def net(request: pytest.FixtureRequest) -> RecurrentTranslator:
    return tiny_net(*request.param)


def batch(lengths: tuple[int, ...] = (NUM_SOURCE, 1, 4)) -> tuple[Tensor, Tensor, Tensor]:
    """source, source_mask and target."""
    generator = torch.Generator().manual_seed(1)
    source = torch.randint(VOCABULARY, (len(lengths), max(lengths)), generator=generator)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return source, mask, torch.randint(VOCABULARY, (len(lengths), NUM_TARGET), generator=generator)


def test_forward_gives_logits_and_a_distribution_over_the_source(net) -> None:
    source, mask, target = batch()
    output = net(source, mask, target, need_weights=True)
    assert output.logits.shape == (3, NUM_TARGET, VOCABULARY)
    (weights,) = output.cross_attention
    assert weights.shape == (3, 1, NUM_TARGET, NUM_SOURCE)
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))
    assert (weights.masked_select(~mask[:, None, None]) == 0).all()
    assert net(source, mask, target).cross_attention == []


def test_steps_equal_forward(net) -> None:
    source, mask, target = batch()
    expected = net(source, mask, target, need_weights=True)
    memory = net.encode(source, mask)
    state = net.start(memory)
    for position, tokens in enumerate(target.unbind(1)):
        logits, weights, state = net.step(tokens, state, memory)
        torch.testing.assert_close(logits, expected.logits[:, position])
        torch.testing.assert_close(weights, expected.cross_attention[0][:, 0, position])


def test_padding_and_neighbours_change_nothing(net) -> None:
    source, mask, target = batch()
    together = net(source, mask, target, need_weights=True)
    other = net(source.where(mask, 3), mask, target)
    torch.testing.assert_close(other.logits, together.logits)
    for row, length in enumerate(mask.sum(1).tolist()):
        alone = net(
            source[row : row + 1, :length], mask[row : row + 1, :length], target[row : row + 1], need_weights=True
        )
        torch.testing.assert_close(alone.logits[0], together.logits[row])
        torch.testing.assert_close(alone.cross_attention[0][0], together.cross_attention[0][row, :, :, :length])


def test_a_position_knows_nothing_of_later_ones(net) -> None:
    source, mask, target = batch()
    changed = target.clone()
    changed[:, 3:] = (target[:, 3:] + 1) % VOCABULARY
    before, after = (net(source, mask, ids).logits for ids in (target, changed))
    torch.testing.assert_close(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])


def test_gradients_reach_every_parameter(net) -> None:
    source, mask, target = batch()
    net(source, mask, target).logits.square().sum().backward()
    unreached = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert unreached == []


@pytest.mark.parametrize("variant", [("bahdanau", "additive", "gru"), ("luong", "general", "lstm")], ids=" ".join)
def test_gradients_equal_finite_differences(variant) -> None:
    net = tiny_net(*variant, width=3, encoder_width=2, decoder_width=4, score_width=2)
    source, mask, target = batch((3, 2))

    def logits(*parameters: Tensor) -> Tensor:
        named = dict(zip(dict(net.named_parameters()), parameters, strict=True))
        output = torch.func.functional_call(net, named, (source, mask, target[:, :3]))
        kept: Tensor = output.logits[..., :3]
        return kept

    assert torch.autograd.gradcheck(logits, tuple(net.parameters()), fast_mode=True)


def test_the_source_reaches_the_first_state_from_both_ends() -> None:
    net = tiny_net("luong", "dot", "lstm", encoder_layers=2)
    source, mask, _ = batch((5, 5))
    source[1] = source[0]
    source[1, 0] = (source[0, 0] + 1) % VOCABULARY
    first = net.encode(source, mask).initial
    source[1, 0], source[1, -1] = source[0, 0], (source[0, -1] + 1) % VOCABULARY
    last = net.encode(source, mask).initial
    assert not torch.allclose(first[0], first[1])
    assert not torch.allclose(last[0], last[1])


def test_dropout_is_for_training_alone() -> None:
    net = tiny_net("bahdanau", "additive", "gru", dropout=0.5)
    inputs = batch()
    assert torch.equal(net(*inputs).logits, net(*inputs).logits)
    net.train()
    assert not torch.equal(net(*inputs).logits, net(*inputs).logits)


@pytest.mark.parametrize("score", ["dot", "scaled_dot"])
def test_scores_without_parameters_want_equal_widths(score: ScoreName) -> None:
    with pytest.raises(ValueError, match="decoder_width = 2 encoder_width, not 9 and 2 x 4"):
        tiny_net("luong", score, "gru", decoder_width=9)


def test_a_saved_net_is_put_together_again(net) -> None:
    weights = net.state_dict()
    del weights["head.weight"]
    loaded = load_translator(net.config.to_json(), weights).double()
    inputs = batch()
    assert torch.equal(loaded(*inputs).logits, net(*inputs).logits)
    assert loaded.head.weight is loaded.embedding.weight


def test_weights_that_do_not_fit_are_named() -> None:
    net = tiny_net("luong", "general", "lstm")
    weights = net.state_dict()
    del weights["head.weight"], weights["encoder.bridge.bias"]
    with pytest.raises(RuntimeError, match=r"encoder\.bridge\.bias"):
        load_translator(net.config.to_json(), weights)
