"""Parallel text for the translation recipes: reading, augmenting, batching."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from regard_models.recipes.pairs import Pair

IGNORED_LABEL = -100

# Equal spelling in English, German, French and Spanish, so that a pair with a replaced name is still a translation.
NAMES = (
    "Adam Albert Alex Anton Arthur Ben Boris Bruno Carlos Chris Daniel David Dennis Diego Eric Felix Florian Frank "
    "Gabriel Gustav Hugo Igor Ivan Jakob Jan Jens Joel Jonas Julian Karim Kevin Konrad Lars Leo Leon Linus Louis Luca "
    "Lucas Luis Manuel Marc Marco Mario Markus Martin Max Miguel Mika Nils Noah Oliver Omar Oscar Otto Pablo Patrick "
    "Paul Peter Philip Quentin Ralf Ricardo Robert Robin Ruben Samir Samuel Sergio Simon Stefan Sven Theo Tim Tobias "
    "Udo Victor Vincent Walter Xaver Yusuf"
).split()


def vary_names(pair: Pair, rng: random.Random, *, keep: float = 0.1) -> Pair:
    """Replaces "Tom", a name in a fifth of Tatoeba, by other names, so that a model does not favour it.

    Changes a pair only if both sides have the name equally often, and leaves a share `keep` of pairs unchanged.
    """
    pattern = re.compile(r"\bTom(?=s?\b)")
    in_source, in_target = pattern.findall(pair.source), pattern.findall(pair.target)
    if not in_source or len(in_source) != len(in_target) or rng.random() < keep:
        return pair
    name = rng.choice(NAMES)
    return Pair(pattern.sub(name, pair.source), pattern.sub(name, pair.target), pair.language, pair.links)


@dataclass(frozen=True)
class Batch:
    """Padded token ids.

    Attributes:
        source: int64 [batch, source]; source_mask: bool [batch, source], False on padding.
        target: int64 [batch, target], start token first; labels: int64 [batch, target],
            `IGNORED_LABEL` on padding.
    """

    source: Tensor
    source_mask: Tensor
    target: Tensor
    labels: Tensor

    @property
    def num_tokens(self) -> int:
        """Number of labels that count."""
        return int((self.labels != IGNORED_LABEL).sum())

    def to(self, device: str) -> "Batch":
        """A copy on a device."""
        return Batch(*(x.to(device) for x in (self.source, self.source_mask, self.target, self.labels)))


Example = tuple[list[int], list[int]]


def batches(
    examples: list[Example], *, max_tokens: int, start_id: int, pad_id: int, rng: random.Random
) -> Iterator[Batch]:
    """Yields one epoch of batches of similar lengths, in random order.

    Args:
        examples: source and target ids, both with their end token.
        max_tokens: maximum number of padded target (or source) tokens per batch.
    """
    order = list(range(len(examples)))
    rng.shuffle(order)
    order.sort(key=lambda i: (len(examples[i][1]), len(examples[i][0])))
    groups: list[list[int]] = [[]]
    longest = 0
    for i in order:
        longest = max(longest, len(examples[i][0]), len(examples[i][1]))
        if groups[-1] and longest * (len(groups[-1]) + 1) > max_tokens:
            groups.append([])
            longest = max(len(examples[i][0]), len(examples[i][1]))
        groups[-1].append(i)
    rng.shuffle(groups)
    for group in groups:
        yield pad_batch([examples[i] for i in group], start_id=start_id, pad_id=pad_id)


def pad_batch(examples: list[Example], *, start_id: int, pad_id: int) -> Batch:
    """Pads examples to one batch; the target is the labels shifted right by the start token."""
    source = np.full((len(examples), max(len(s) for s, _ in examples)), pad_id, np.int64)
    labels = np.full((len(examples), max(len(t) for _, t in examples)), IGNORED_LABEL, np.int64)
    for row, (s, t) in enumerate(examples):
        source[row, : len(s)] = s
        labels[row, : len(t)] = t
    lengths = np.array([[len(s)] for s, _ in examples])
    target = np.where(labels == IGNORED_LABEL, pad_id, labels)
    target = np.concatenate([np.full((len(examples), 1), start_id), target[:, :-1]], axis=1)
    mask = np.arange(source.shape[1]) < lengths
    return Batch(*(torch.from_numpy(x) for x in (source, mask, target, labels)))
