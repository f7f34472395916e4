"""The loss on drawn captions, the last phase of a captioner's training: rewards n-grams that human captions share
(Rennie et al. 2017, "Self-Critical Sequence Training for Image Captioning").
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from regard_models.nets.captioner import Captioner
from regard_models.recipes.captioner_data import CaptionBatch, CaptionVocabulary, pad_captions
from regard_models.recipes.captioner_search import repeat_rows, sample
from regard_models.recipes.corpus import IGNORED_LABEL

MAX_ORDER = 4
LENGTH_SPREAD = 6.0  # sigma of CIDEr-D
Ngram = tuple[int, ...]


@dataclass(frozen=True)
class _Vector:
    """The tf-idf weights of a caption's n-grams of one order, and their Euclidean norm."""

    weights: dict[Ngram, float]
    norm: float


class CiderD:
    """CIDEr-D (Vedantam et al. 2015, "CIDEr: Consensus-based Image Description Evaluation", section 5) of token ids.

        (10 / 4) sum_n mean_j exp(-(l - l_j)^2 / (2 sigma^2)) sum_w min(g_w, r_jw) r_jw / (|g| |r_j|)

    g and r_j are the tf-idf weights of the caption's and the j-th reference's n-grams, l and l_j their lengths.

    Args:
        captions: ids of each training image's captions, for the document frequencies of n-grams.
    """

    def __init__(self, captions: Sequence[Sequence[Sequence[int]]]) -> None:
        self._num_images = len(captions)
        self._frequencies = Counter(
            ngram for group in captions for ngram in {ngram for caption in group for ngram in _ngrams(caption)}
        )

    def scores(self, captions: Sequence[Sequence[int]], references: Sequence[Sequence[int]]) -> list[float]:
        """Scores captions of one image."""
        vectors = [self._vectors(reference) for reference in references]
        return [
            sum(
                self._similarity(self._vectors(caption), other)
                * math.exp(-((len(caption) - len(reference)) ** 2) / (2 * LENGTH_SPREAD**2))
                for other, reference in zip(vectors, references, strict=True)
            )
            / len(references)
            for caption in captions
        ]

    def _vectors(self, caption: Sequence[int]) -> list[_Vector]:
        """One vector per order."""
        weights: list[dict[Ngram, float]] = [{} for _ in range(MAX_ORDER)]
        for ngram, count in Counter(_ngrams(caption)).items():
            rarity = math.log(self._num_images / max(1, self._frequencies[ngram]))
            weights[len(ngram) - 1][ngram] = count * rarity
        return [_Vector(w, math.sqrt(sum(x * x for x in w.values()))) for w in weights]

    @staticmethod
    def _similarity(caption: list[_Vector], reference: list[_Vector]) -> float:
        total = 0.0
        for a, b in zip(caption, reference, strict=True):
            if a.norm and b.norm:
                shared = sum(min(x, b.weights[w]) * b.weights[w] for w, x in a.weights.items() if w in b.weights)
                total += shared / (a.norm * b.norm)
        return 10 * total / MAX_ORDER


def _ngrams(ids: Sequence[int]) -> Iterable[Ngram]:
    """All n-grams of up to `MAX_ORDER` tokens."""
    return (
        tuple(ids[first : first + order]) for order in range(1, MAX_ORDER + 1) for first in range(len(ids) - order + 1)
    )


def self_critical_loss(
    model: Captioner, vocabulary: CaptionVocabulary, cider: CiderD, batch: CaptionBatch, *, num_samples: int = 5
) -> Tensor:
    """- mean of (r_i - b_i) log p(caption_i); r_i is the CIDEr-D of a drawn caption, which includes its end token.

    b_i is the mean reward of the image's other draws (Luo 2020, "A Better Variant of Self-Critical Sequence Training").
    Draws and likelihoods are computed without dropout, as in inference.
    """
    model.eval()
    features = batch.features.float()
    with torch.no_grad():
        drawn = sample(model, vocabulary, repeat_rows(model.memory(features), num_samples))
    captions = [_until_end(row, vocabulary.end_id) for row in drawn.tolist()]
    groups = [captions[first : first + num_samples] for first in range(0, len(captions), num_samples)]
    references = [[row[row != IGNORED_LABEL].tolist() for row in group] for group in batch.labels]
    rewards = torch.tensor(
        [cider.scores(group, [r for r in of if r]) for group, of in zip(groups, references, strict=True)]
    ).to(features.device)
    advantage = (rewards - rewards.mean(1, keepdim=True)) * num_samples / (num_samples - 1)  # [images, samples]
    target, labels = (x.to(features.device) for x in pad_captions(groups, vocabulary))
    log_probs = model(features, target).logits.float().log_softmax(-1)
    mask = labels != IGNORED_LABEL
    chosen = log_probs.gather(3, labels.clamp_min(0)[..., None]).squeeze(3).masked_fill(~mask, 0.0)
    model.train()
    return -(advantage[..., None] * chosen).sum() / mask.sum()


def _until_end(ids: list[int], end_id: int) -> list[int]:
    """Tokens up to and including the end token; all tokens without an end token."""
    return ids[: ids.index(end_id) + 1] if end_id in ids else ids
