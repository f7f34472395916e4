"""CIDEr-D against plain sums of the paper's formula, BLEU's tokens, and self-critical training on a toy."""

import math
from collections import Counter

import pytest
import torch
from torch import Tensor

from regard_models.nets.captioner_family import build
from regard_models.recipes.captioner_data import CaptionBatch, CaptionVocabulary, pad_captions
from regard_models.recipes.captioner_losses import caption_loss
from regard_models.recipes.captioner_reward import CiderD, self_critical_loss
from regard_models.recipes.captioner_scores import bleu, normalize
from regard_models.recipes.captioner_search import greedy
from tests.unit.export.captioner_checkpoints import TINY_ENCODER, tiny_transformer
from tests.unit.export.transformer_checkpoints import tiny_tokenizer

CORPUS = [
    [[1, 2, 3, 4, 5], [1, 2, 6]],
    [[1, 7, 8], [7, 8, 9, 2]],
    [[1, 2, 3], [9, 9, 1]],
]


def _plain_cider_d(caption: list[int], references: list[list[int]]) -> float:
    """Vedantam et al. 2015, section 5, as explicit sums over all n-grams."""
    total = 0.0
    for order in (1, 2, 3, 4):

        def counts(ids: list[int], n: int = order) -> Counter[tuple[int, ...]]:
            return Counter(tuple(ids[i : i + n]) for i in range(len(ids) - n + 1))

        frequency = Counter(w for group in CORPUS for w in set().union(*(counts(c) for c in group)))

        def weights(ids: list[int]) -> dict[tuple[int, ...], float]:
            return {w: k * math.log(len(CORPUS) / max(1, frequency[w])) for w, k in counts(ids).items()}  # noqa: B023

        g = weights(caption)
        for reference in references:
            r = weights(reference)
            norms = math.hypot(*g.values()) * math.hypot(*r.values())
            if norms:
                product = sum(min(g.get(w, 0.0), r[w]) * r[w] for w in r)
                penalty = math.exp(-((len(caption) - len(reference)) ** 2) / (2 * 6.0**2))
                total += 10 / 4 * penalty * product / norms / len(references)
    return total


@pytest.mark.parametrize("caption", [[1, 2, 3, 4, 5], [1, 2], [9, 2, 3, 4], [2, 2, 2, 2, 2, 2], [11, 12], [1]])
def test_cider_d_is_the_papers(caption: list[int]) -> None:
    references = CORPUS[0]
    assert CiderD(CORPUS).scores([caption], references) == [pytest.approx(_plain_cider_d(caption, references))]


def test_cider_d_prefers_what_people_wrote() -> None:
    close, far, repeated = CiderD(CORPUS).scores([[1, 2, 3, 4, 5], [7, 8, 9, 2], [3, 3, 3, 3, 3]], CORPUS[0])
    assert close > repeated > far >= 0


def test_normalized_captions() -> None:
    assert normalize("A tri-colored Dog's ball, outside.") == "a tri-colored dog 's ball outside"


def test_bleu_of_a_reference_is_full_and_order_counts() -> None:
    references = [["A dog runs on the grass", "dog"], ["Two cats sleep on a bed", "cats"]]
    assert bleu(["a dog runs on the grass", "two cats, sleep on a bed!"], references)["bleu4"] == 100
    scores = bleu(["a dog on the grass runs", "two cats sleep on a bed"], references)
    assert scores["bleu1"] == 100 > scores["bleu2"] > scores["bleu4"]


def test_self_critical_training_finds_which_caption_is_whose() -> None:
    """A net that generates four captions learns from rewards alone which image each belongs to."""
    torch.manual_seed(0)
    vocabulary, net = CaptionVocabulary(tiny_tokenizer()), build(tiny_transformer(encoder_layers=0, decoder_layers=1))
    captions = [[[10 + image, 20 + image, vocabulary.end_id]] for image in range(4)]
    features = torch.zeros(4, TINY_ENCODER.head_channels, TINY_ENCODER.grid, TINY_ENCODER.grid)
    features[torch.arange(4), torch.arange(4)] = 3.0
    everybodys = [[caption for [caption] in captions]] * 4
    trained = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.005)
    for _ in range(40):
        _step(optimizer, caption_loss(net, CaptionBatch(features, *pad_captions(everybodys, vocabulary))))
    batch, cider = CaptionBatch(features, *pad_captions(captions, vocabulary)), CiderD(captions)
    optimizer = torch.optim.Adam(trained, lr=0.001)
    for _ in range(80):
        _step(optimizer, self_critical_loss(net, vocabulary, cider, batch, num_samples=8))
    written = greedy(net.eval(), vocabulary, net.memory(features))
    assert [vocabulary.decode(row) for row in written.tolist()] == [vocabulary.decode(c) for [c] in captions]


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
