"""Which heads align best: found on held-out sentences, without anybody's alignments.

The measure is IBM Model 1 (Brown et al. 1993): trained on the sentences themselves by expectation-maximization, it
tells for each target token how likely each source token made it. A head agrees with it as far as its attention falls on
those tokens. Heads are added one by one, the best first, as long as their mean agrees better; and each choice is tried
plain and shifted (Chen et al. 2020).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from regard_service.bundle import Bundle, Manifest, TextSource
from regard_service.generation import Generation

from regard.arrays import Float32Array, Int64Array
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import ServingGraphs
from regard_export.examples.dev_sets import DevSet
from regard_export.examples.input_readers import open_inputs

NUM_SENTENCES = 500  # of each target language
MAX_NEW_TOKENS = 64
NUM_ITERATIONS = 5
MIN_GAIN = 0.002  # in agreement, for which one more head is worth it

Pair = tuple[Sequence[int], Sequence[int]]
"""Ids of a source and of its target, special tokens left out."""


@dataclass(frozen=True)
class AlignmentChoice:
    """What the alignment is by default.

    Attributes:
        heads: (layer, head) pairs whose mean it is.
        shifted: whether a token is aligned at the step that reads it.
        agreement: with IBM Model 1, from 0 to 1.
    """

    heads: tuple[tuple[int, int], ...]
    shifted: bool
    agreement: float

    @property
    def method(self) -> str:
        """How it came about, for people to read."""
        return f"mean of those heads that agree best with IBM Model 1 on held-out sentences: {self.agreement:.2f}"


def finds_heads(model: SourceModel) -> bool:
    """Whether there is a choice to make, for which the task has words to align."""
    several = model.architecture.attention_layers * model.architecture.attention_heads > 1
    return model.task == "translation" and several and not model.alignment_heads


def find_heads(bundle: Bundle, dev: DevSet) -> AlignmentChoice | None:
    """Translates held-out sentences and chooses by what the model itself wrote; None if it wrote nothing.

    Args:
        bundle: with a float32 variant.
    """
    graphs, inputs, manifest = ServingGraphs(bundle, "float32"), open_inputs(bundle), bundle.manifest
    limit = min(MAX_NEW_TOKENS, manifest.max_target_tokens)
    maps, expected = [], []
    for key, examples in dev.items():
        sources = [inputs.read(example.source, key) for example in examples[:NUM_SENTENCES]]
        generation = Generation(max_new_tokens=limit, forced_first_id=manifest.target.forced_first_id(key))
        decoded = list(graphs.search(sources, generation))
        sentences = [
            _Sentence(np.asarray(source), each.hypothesis.tokens, manifest)
            for source, each in zip(sources, decoded, strict=True)
        ]
        told = [(sentence, each) for sentence, each in zip(sentences, decoded, strict=True) if sentence.is_told]
        posteriors = ibm_model_1([sentence.pair for sentence, _ in told])
        expected += [sentence.spread(posterior) for (sentence, _), posterior in zip(told, posteriors, strict=True)]
        maps += [each.cross_attention for _, each in told]
    return choose_heads(maps, expected) if maps else None


class _Sentence:
    """A source and what was made of it, with their tokens that are text.

    Args:
        source: int64 [source]; target: int64 [target].
    """

    def __init__(self, source: Int64Array, target: Int64Array, manifest: Manifest) -> None:
        described = manifest.source
        affixes: set[int] = set()
        if isinstance(described, TextSource):
            around = (described.prefix_ids, described.language_prefix_ids, described.language_suffix_ids)
            affixes = {i for ids_by_key in around for ids in ids_by_key.values() for i in ids}
            affixes |= {*described.suffix_ids}
        special = {*manifest.target.special_ids, *manifest.target.end_ids}
        self._source_text = np.flatnonzero(~np.isin(source, list(affixes)))
        self._target_text = np.flatnonzero(~np.isin(target, list(special)))
        self._shape = (len(target), len(source))
        self.pair: Pair = (source[self._source_text].tolist(), target[self._target_text].tolist())

    @property
    def is_told(self) -> bool:
        return bool(self.pair[0] and self.pair[1])

    def spread(self, posterior: Float32Array) -> Float32Array:
        """Between all tokens, with zeros at special ones; posterior: between those that are text."""
        spread = np.zeros(self._shape, np.float32)
        spread[np.ix_(self._target_text, self._source_text)] = posterior
        return spread


def choose_heads(maps: Sequence[Float32Array], expected: Sequence[Float32Array]) -> AlignmentChoice:
    """Chooses heads and method.

    Args:
        maps: cross-attention of each sentence, float32 [layers, heads, target, source].
        expected: float32 [target, source] each; rows of tokens that count for nothing are 0.
    """
    layers, heads = maps[0].shape[:2]
    candidates = list(product(range(layers), range(heads)))
    choices = [_grown(candidates, maps, expected, shifted=shifted) for shifted in (False, True)]
    return max(choices, key=lambda choice: choice.agreement)


def _grown(
    candidates: Sequence[tuple[int, int]],
    maps: Sequence[Float32Array],
    expected: Sequence[Float32Array],
    *,
    shifted: bool,
) -> AlignmentChoice:
    """Adds the head that helps most, until none does."""
    best = AlignmentChoice((), shifted, 0.0)
    while len(best.heads) < len(candidates):
        tried = [(*best.heads, pair) for pair in candidates if pair not in best.heads]
        agreements = [agreement([_aligned(each, pairs, shifted) for each in maps], expected) for pairs in tried]
        top = int(np.argmax(agreements))
        if agreements[top] < best.agreement + MIN_GAIN and best.heads:
            break
        best = AlignmentChoice(tried[top], shifted, agreements[top])
    return AlignmentChoice(tuple(sorted(best.heads)), shifted, best.agreement)


def _aligned(cross: Float32Array, pairs: Sequence[tuple[int, int]], shifted: bool) -> Float32Array:
    """What the server makes of these heads; cross: float32 [layers, heads, target, source]."""
    layers, heads = zip(*pairs, strict=True)
    alignment: Float32Array = cross[list(layers), list(heads)].mean(axis=0)
    return np.concatenate([alignment[1:], alignment[-1:]]) if shifted else alignment


def agreement(alignments: Sequence[Float32Array], expected: Sequence[Float32Array]) -> float:
    """The share of links that are expected: each target token's strongest source token, by its expected probability.

    Columns that no row expects anything of, as of special tokens, do not compete (`hard_links` does likewise).
    """
    total = found = 0.0
    for alignment, wanted in zip(alignments, expected, strict=True):
        counted = wanted.sum(axis=1) > 0
        competing = np.where(wanted.any(axis=0), alignment, -1.0)
        strongest = competing.argmax(axis=1)
        found += float(wanted[counted, strongest[counted]].sum())
        total += int(counted.sum())
    return found / max(total, 1)


def ibm_model_1(pairs: Sequence[Pair]) -> Iterator[Float32Array]:
    """Trains the model on the pairs and yields, for each, the probability that a source token made a target token.

    Yields:
        float32 [target, source]; rows sum to 1.
    """
    # One cell for each (source, target) type that stand together somewhere; a sentence's cells are [target, source].
    index: dict[tuple[int, int], int] = {}
    cells = [
        np.array([[index.setdefault((s, t), len(index)) for s in source] for t in target], np.int64)
        for source, target in pairs
    ]
    sources = np.fromiter((s for s, _ in index), np.int64, len(index))
    probability = np.ones(len(index))
    for _ in range(NUM_ITERATIONS):
        counts = np.zeros(len(index))
        for each in cells:
            given = probability[each]
            np.add.at(counts, each, given / given.sum(axis=1, keepdims=True))
        totals = np.bincount(sources, counts)
        probability = counts / totals[sources]
    for each in cells:
        given = probability[each]
        yield (given / given.sum(axis=1, keepdims=True)).astype(np.float32)
