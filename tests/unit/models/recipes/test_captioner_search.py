"""Search in PyTorch: greedy takes the best token, draws follow the distribution, beams find likelier captions."""

import pytest
import torch
from torch import Tensor

from regard_models.nets.captioner import Captioner
from regard_models.nets.captioner_family import CaptionerConfig
from regard_models.recipes.captioner_data import CaptionVocabulary, pad_captions
from regard_models.recipes.captioner_search import MAX_NEW_TOKENS, beam_search, draw, greedy, repeat_rows, sample
from regard_models.recipes.corpus import IGNORED_LABEL
from tests.unit.export.captioner_checkpoints import TINY_ENCODER, tiny_captioner, tiny_lstm, tiny_transformer
from tests.unit.export.transformer_checkpoints import tiny_tokenizer

VOCABULARY = CaptionVocabulary(tiny_tokenizer())
IMAGES = 6

both_decoders = pytest.mark.parametrize("config", [tiny_lstm(), tiny_transformer()], ids=["lstm", "transformer"])


def _captioner(config: CaptionerConfig) -> Captioner:
    """A net that eventually ends its captions."""
    net = tiny_captioner(config)
    bias = dict(net.named_parameters()).get("head.bias")
    if bias is not None:
        torch.nn.init.constant_(bias[VOCABULARY.end_id], 2.0)
    return net


def _features() -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(IMAGES, TINY_ENCODER.head_channels, TINY_ENCODER.grid, TINY_ENCODER.grid, generator=generator)


def _until_end(ids: list[int]) -> list[int]:
    return ids[: ids.index(VOCABULARY.end_id) + 1] if VOCABULARY.end_id in ids else ids


def _log_probs(net: Captioner, captions: list[list[int]]) -> Tensor:
    """float [images]; of whole captions."""
    target, labels = pad_captions([[caption] for caption in captions], VOCABULARY)
    log_probs = net(_features(), target).logits.log_softmax(-1)
    chosen: Tensor = log_probs.gather(3, labels.clamp_min(0)[..., None]).squeeze(3)
    return chosen.masked_fill(labels == IGNORED_LABEL, 0.0).sum((1, 2))


@both_decoders
@torch.inference_mode()
def test_greedy_takes_the_best_token_each_time(config: CaptionerConfig) -> None:
    net = _captioner(config)
    written = [_until_end(row) for row in greedy(net, VOCABULARY, net.memory(_features())).tolist()]
    target, labels = pad_captions([[caption] for caption in written], VOCABULARY)
    best = net(_features(), target).logits.argmax(-1)
    assert (best == labels)[labels != IGNORED_LABEL].all()
    assert all(len(caption) == MAX_NEW_TOKENS or caption[-1] == VOCABULARY.end_id for caption in written)


@both_decoders
@torch.inference_mode()
def test_one_beam_is_greedy_and_more_find_likelier_captions(config: CaptionerConfig) -> None:
    net = _captioner(config)
    memory = net.memory(_features())
    found = {
        beams: [
            _until_end(row)
            for row in beam_search(net, VOCABULARY, memory, num_beams=beams, length_penalty=1.0).tolist()
        ]
        for beams in (1, 4)
    }
    scores = {k: _log_probs(net, v) / torch.tensor([len(caption) for caption in v]) for k, v in found.items()}
    assert scores[4].mean() > scores[1].mean()


def test_draws_follow_the_distribution() -> None:
    torch.manual_seed(0)
    probabilities = torch.tensor([0.1, 0.2, 0.0, 0.7])
    tokens = draw(probabilities.log().expand(20_000, 4))
    torch.testing.assert_close(tokens.bincount(minlength=4) / 20_000, probabilities, atol=0.02, rtol=0)
    assert not (tokens == 2).any()


@torch.inference_mode()
def test_samples_differ_and_pad_behind_their_end() -> None:
    torch.manual_seed(0)
    net = _captioner(tiny_lstm())
    written = sample(net, VOCABULARY, repeat_rows(net.memory(_features()), 3)).tolist()
    assert len({tuple(row) for row in written}) > IMAGES
    for row in written:
        end = len(_until_end(row))
        assert row[end:] == [VOCABULARY.pad_id] * (len(row) - end)
