"""Encoders of several kinds before one decoder: shapes, masks, prompts, gradients, configs."""

from dataclasses import replace

import pytest
import torch

from regard_models.nets.bert import BertConfig
from regard_models.nets.cross_modal import CrossModalConfig
from regard_models.nets.encoder_decoder import EncoderConfig, EncoderDecoder, EncoderDecoderConfig
from regard_models.nets.prompted_vision import PromptedVision, PromptedVisionConfig
from regard_models.nets.transformer import TransformerConfig
from regard_models.nets.vision_transformer import VisionTransformerConfig

VOCABULARY = 19
VISION = VisionTransformerConfig(8, 2, 1, 12, image_height=4, image_width=8, patch_size=4)
TEXT = BertConfig(VOCABULARY, 12, 2, 1, 16, max_positions=9)
FUSION = CrossModalConfig(8, 2, 2, 12, region_width=8, text_width=12, norm_epsilon=1e-5)
PROMPTED = PromptedVisionConfig(VISION, TEXT, FUSION, prompt=(3, 5))
ENCODERS: dict[str, EncoderConfig] = {"vision": VISION, "bert": TEXT, "prompted": PROMPTED}
PIXELS = (2, 3, 4, 8)


def tiny_net(encoder: EncoderConfig) -> EncoderDecoder:
    torch.manual_seed(0)
    decoder = TransformerConfig(VOCABULARY, 16, 2, 0, 2, 24, max_positions=12, memory_width=encoder.width)
    return EncoderDecoder(EncoderDecoderConfig(encoder, decoder)).eval()


def source_of(encoder: EncoderConfig) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randint(VOCABULARY, (2, 5)) if encoder is TEXT else torch.randn(PIXELS)


@pytest.mark.parametrize("name", ENCODERS)
def test_targets_attend_to_every_position_of_the_source(name: str) -> None:
    encoder = ENCODERS[name]
    net, num_positions = tiny_net(encoder), {"vision": 3, "bert": 5, "prompted": 5}[name]
    output = net(source_of(encoder), torch.randint(VOCABULARY, (2, 4)), need_weights=True)
    assert output.logits.shape == (2, 4, VOCABULARY)
    assert [weights.shape for weights in output.cross_attention] == [(2, 2, 4, num_positions)] * 2
    torch.testing.assert_close(output.cross_attention[0].sum(-1), torch.ones(2, 2, 4))


@pytest.mark.parametrize("name", ENCODERS)
def test_later_tokens_change_nothing(name: str) -> None:
    encoder = ENCODERS[name]
    net, source, target = tiny_net(encoder), source_of(encoder), torch.randint(VOCABULARY, (2, 4))
    whole, begun = net(source, target).logits, net(source, target[:, :2]).logits
    torch.testing.assert_close(whole[:, :2], begun, atol=1e-5, rtol=1e-5)


def test_padding_of_a_text_changes_nothing() -> None:
    net, source, target = tiny_net(TEXT), source_of(TEXT), torch.randint(VOCABULARY, (2, 4))
    padded = torch.cat([source, torch.zeros(2, 3, dtype=torch.int64)], dim=1)
    mask = torch.arange(8).expand(2, -1) < 5
    torch.testing.assert_close(net(padded, target, mask).logits, net(source, target).logits, atol=1e-5, rtol=1e-5)


def test_a_prompt_is_the_text_where_none_is_given() -> None:
    net, pixels = PromptedVision(PROMPTED).eval(), torch.randn(PIXELS)
    prompt = torch.tensor([[3, 5]] * 2)
    states = net(pixels)
    assert states.shape == (2, PROMPTED.num_positions, 8)
    torch.testing.assert_close(states, net(pixels, prompt))
    padded = net(pixels, torch.tensor([[3, 5, 7]] * 2), torch.tensor([[True, True, False]] * 2))
    torch.testing.assert_close(padded[:, [0, 1, 3, 4, 5]], states, atol=1e-5, rtol=1e-5)


def test_regions_depend_on_the_words() -> None:
    net, pixels = PromptedVision(PROMPTED).eval(), torch.randn(PIXELS)
    changed = (net(pixels) - net(pixels, torch.tensor([[4, 5]] * 2))).abs().amin(dim=(0, 2))
    assert changed.min() > 0


@pytest.mark.parametrize("name", ENCODERS)
def test_gradients_reach_every_parameter(name: str) -> None:
    encoder = ENCODERS[name]
    net = tiny_net(encoder)
    net(source_of(encoder), torch.randint(VOCABULARY, (2, 4))).logits.pow(3).sum().backward()
    without = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert without == []


@pytest.mark.parametrize("name", ENCODERS)
def test_config_survives_json(name: str) -> None:
    config = tiny_net(ENCODERS[name]).config
    assert EncoderDecoderConfig.from_json(config.to_json()) == config


def test_parts_that_do_not_fit_are_refused() -> None:
    config = tiny_net(VISION).config
    with pytest.raises(ValueError, match="reads states of width 16; the encoder's are 8 wide"):
        EncoderDecoder(replace(config, decoder=replace(config.decoder, memory_width=None)))
    with pytest.raises(ValueError, match="are not its encoders'"):
        PromptedVision(replace(PROMPTED, fusion=replace(FUSION, text_width=8)))
    with pytest.raises(ValueError, match="none of regard-vision-transformer, "):
        EncoderDecoderConfig.from_json({"family": "marian"})
    with pytest.raises(ValueError, match="do not fit the family 'regard-bert'"):
        EncoderDecoderConfig.from_json({"family": "regard-bert", "encoder": {"depth": 1}})
