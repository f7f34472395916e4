"""Batches with the links of their pieces, from which guided alignment learns (Chen et al. 2016).

A head's attention is guided at the step that reads a target piece: it knows the piece then, and aligns better than at
the step that writes it (Chen et al. 2020).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from regard_models.recipes.corpus import Batch, pad_batch
from regard_models.recipes.pairs import Pair
from regard_models.recipes.tokenizer import END, PAD, START
from regard_models.recipes.word_links import word_spans


@dataclass(frozen=True)
class GuidedExample:
    """Token ids of a pair, both with their end token, and the linked positions: int16 [links, (target, source)]."""

    source: list[int]
    target: list[int]
    links: np.ndarray


@dataclass(frozen=True)
class GuidedBatch(Batch):
    """A batch with links.

    Attributes:
        linked: bool [batch, target, source], True where the target token that a step reads translates the source token.
    """

    linked: Tensor

    def to(self, device: str) -> "GuidedBatch":
        """A copy on a device."""
        fields = (self.source, self.source_mask, self.target, self.labels, self.linked)
        return GuidedBatch(*(x.to(device) for x in fields))


def guided_examples(pairs: Sequence[Pair], tokenizer: Tokenizer) -> list[GuidedExample]:
    """Tokenizes pairs, and maps the links of their words to their pieces."""
    sources = tokenizer.encode_batch([pair.source for pair in pairs])
    targets = tokenizer.encode_batch([pair.target for pair in pairs])
    end = _id(tokenizer, END)
    language_ids = {code: _id(tokenizer, f"<{code}>") for code in {pair.language for pair in pairs}}
    return [
        GuidedExample(
            [language_ids[pair.language], *source.ids, end], [*target.ids, end], _piece_links(pair, source, target)
        )
        for pair, source, target in zip(pairs, sources, targets, strict=True)
    ]


def _piece_links(pair: Pair, source: Encoding, target: Encoding) -> np.ndarray:
    """int16 [links, (target, source)]; the source's first token names the language."""
    if not pair.links:
        return np.zeros((0, 2), np.int16)
    source_pieces, target_pieces = _pieces_of_words(pair.source, source), _pieces_of_words(pair.target, target)
    return np.array(
        [(t, s + 1) for i, j in pair.links for t in target_pieces.get(j, ()) for s in source_pieces.get(i, ())],
        np.int16,
    ).reshape(-1, 2)


def _pieces_of_words(text: str, encoding: Encoding) -> dict[int, list[int]]:
    """Word -> its pieces. A piece belongs to the word in which its last character is."""
    word_at = {at: number for number, (start, end) in enumerate(word_spans(text)) for at in range(start, end)}
    pieces: dict[int, list[int]] = {}
    for piece, (_, end) in enumerate(encoding.offsets):
        if (word := word_at.get(end - 1)) is not None:
            pieces.setdefault(word, []).append(piece)
    return pieces


def guided_batches(
    examples: Sequence[GuidedExample], tokenizer: Tokenizer, *, max_tokens: int, rng: random.Random
) -> Iterator[Callable[[], GuidedBatch]]:
    """Yields batches of similar lengths in random order, each as a function that makes it.

    Args:
        max_tokens: maximum number of padded target (or source) tokens per batch.
    """
    order = sorted(range(len(examples)), key=lambda i: (len(examples[i].target), len(examples[i].source)))
    groups: list[list[int]] = [[]]
    longest = 0
    for i in order:
        length = max(len(examples[i].source), len(examples[i].target))
        longest = max(longest, length)
        if groups[-1] and longest * (len(groups[-1]) + 1) > max_tokens:
            groups.append([])
            longest = length
        groups[-1].append(i)
    rng.shuffle(groups)
    start_id, pad_id = _id(tokenizer, START), _id(tokenizer, PAD)
    for group in groups:
        yield partial(_chosen_batch, examples, group, start_id, pad_id)


def _chosen_batch(examples: Sequence[GuidedExample], chosen: Sequence[int], start_id: int, pad_id: int) -> GuidedBatch:
    return _batch([examples[i] for i in chosen], start_id, pad_id)


def _batch(examples: Sequence[GuidedExample], start_id: int, pad_id: int) -> GuidedBatch:
    plain = pad_batch([(e.source, e.target) for e in examples], start_id=start_id, pad_id=pad_id)
    linked = np.zeros((*plain.labels.shape, plain.source.shape[1]), np.bool_)
    for row, example in enumerate(examples):
        target, source = example.links.T
        linked[row, target + 1, source] = True  # piece t is read at step t + 1; the end token follows the last piece
    return GuidedBatch(plain.source, plain.source_mask, plain.target, plain.labels, torch.from_numpy(linked))


def _id(tokenizer: Tokenizer, piece: str) -> int:
    token_id = tokenizer.token_to_id(piece)
    if token_id is None:
        raise ValueError(f"the tokenizer has no piece {piece!r}")
    return int(token_id)
