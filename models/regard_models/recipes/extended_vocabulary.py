"""Adds pieces to a trained byte-pair encoding, and rows to the embedding of a model that knows the earlier pieces.

The added merges rank after the earlier ones, so that a text's earlier pieces are merged further, never otherwise; a
merged piece starts with the mean of its parts' embeddings, so that a trained model goes on from what it knows.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import torch
from tokenizers import Tokenizer
from torch import Tensor

Merge = tuple[str, str]


def more_merges(tokenizer: Tokenizer, texts: Iterable[str], number: int) -> list[Merge]:
    """The merges that byte-pair encoding (Sennrich et al. 2016) would learn next, most frequent first."""
    words: Counter[tuple[str, ...]] = Counter()
    for encoding in tokenizer.encode_batch(list(texts)):
        words.update(_mergeable(encoding.tokens))
    return _learn(words, number)


def _mergeable(pieces: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The pieces of each word that has several."""
    word: list[str] = []
    for piece in (*pieces, ""):
        if word and not piece.startswith("▁") and _is_word(piece):
            word.append(piece)
            continue
        if len(word) > 1:
            yield tuple(word)
        word = [piece] if _is_word(piece) else []


def _is_word(piece: str) -> bool:
    """Whether merges may hold the piece: letters only, neither digits, which stay alone, nor marks nor bytes."""
    return piece.removeprefix("▁").isalpha() or piece == "▁"


def _learn(words: Counter[tuple[str, ...]], number: int) -> list[Merge]:
    table = [list(word) for word in words]
    counts = list(words.values())
    pairs: Counter[Merge] = Counter()
    where: dict[Merge, set[int]] = {}
    for at, word in enumerate(table):
        for pair in pairwise(word):
            pairs[pair] += counts[at]
            where.setdefault(pair, set()).add(at)
    merges: list[Merge] = []
    while len(merges) < number and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        for at in where.pop(best):
            word = table[at]
            for pair in pairwise(word):
                pairs[pair] -= counts[at]
            table[at] = _merged(word, best)
            for pair in pairwise(table[at]):
                pairs[pair] += counts[at]
                where.setdefault(pair, set()).add(at)
        del pairs[best]
    return merges


def _merged(word: list[str], pair: Merge) -> list[str]:
    merged: list[str] = []
    for piece in word:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def extend_tokenizer(tokenizer: Tokenizer, merges: list[Merge], characters: Iterable[str]) -> Tokenizer:
    """The tokenizer with further merges, and with pieces for single characters, whose ids come last."""
    description = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = description["model"]["vocab"]
    for first, second in merges:
        vocabulary.setdefault(first + second, len(vocabulary))
        description["model"]["merges"].append([first, second])
    for character in characters:
        vocabulary.setdefault(character, len(vocabulary))
    extended = Tokenizer.from_str(json.dumps(description))
    extended.encode_special_tokens = tokenizer.encode_special_tokens
    return extended


def extend_embedding(weights: Tensor, before: Tokenizer, after: Tokenizer, merges: list[Merge]) -> Tensor:
    """Embeds added pieces: a merged one as the mean of its parts, a character as the mean of all pieces.

    Args:
        weights: float [pieces of `before`, width].

    Returns:
        float [pieces of `after`, width].
    """
    size, old_size = after.get_vocab_size(), before.get_vocab_size()
    extended = weights.mean(0).repeat(size, 1)
    extended[:old_size] = weights
    ids = after.get_vocab()
    for first, second in merges:
        if ids[first + second] >= old_size:
            extended[ids[first + second]] = torch.stack([extended[ids[first]], extended[ids[second]]]).mean(0)
    return extended
