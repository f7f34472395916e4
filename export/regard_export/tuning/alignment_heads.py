"""Chooses the attention heads that align best, on held-out sentences without reference alignments.

IBM Model 1, trained on the sentences themselves, estimates which source tokens each target token translates. A head
agrees with it by the share of its strongest links that fall on those tokens. Heads are added greedily, best first, as
long as their mean agrees better. Each choice is tried plain and shifted by one step (Chen et al. 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import VariantEngine, attention_of
from regard_export.examples.dev_sets import DevSet
from regard_export.examples.input_readers import open_input_reader
from regard_export.tuning.ibm_model_1 import SentencePair, ibm_model_1
from regard_service.bundle import Bundle, Manifest, TextSource
from regard_service.generation import Generation

MAX_SENTENCES = 500  # per target language
MAX_NEW_TOKENS = 64
MIN_GAIN = 0.002  # in agreement, for which another head is added


@dataclass(frozen=True)
class AlignmentChoice:
    """How the default alignment is computed.

    Attributes:
        heads: (layer, head) pairs whose mean is the alignment.
        is_shifted: whether a token is aligned at the step that reads it, instead of the step that writes it.
        agreement: with IBM Model 1, from 0 to 1.
    """

    heads: tuple[tuple[int, int], ...]
    is_shifted: bool
    agreement: float

    @property
    def method(self) -> str:
        """How the heads were chosen, for people to read."""
        return f"mean of those heads that agree best with IBM Model 1 on held-out sentences: {self.agreement:.2f}"


def needs_alignment_heads(model: SourceModel) -> bool:
    """Whether the model translates with several heads, and its checkpoint names none of them for alignment."""
    num_heads = model.architecture.attention_layers * model.architecture.attention_heads
    return model.task == "translation" and num_heads > 1 and not model.alignment_heads


def choose_alignment_heads(bundle: Bundle, dev: DevSet) -> AlignmentChoice | None:
    """Translates held-out sentences, and chooses by the model's own outputs; None if it writes nothing.

    Args:
        bundle: with a float32 variant.
    """
    engine, reader, manifest = VariantEngine(bundle, "float32"), open_input_reader(bundle), bundle.manifest
    max_new_tokens = min(MAX_NEW_TOKENS, manifest.max_target_tokens)
    maps: list[Float32Array] = []
    expected: list[Float32Array] = []
    for key, examples in dev.items():
        sources = [reader.read(example.source, key) for example in examples[:MAX_SENTENCES]]
        generation = Generation(max_new_tokens, forced_first_id=manifest.target.forced_first_id(key))
        decoded = engine.search(sources, generation)
        sentences = [
            (_Sentence(np.asarray(source), output.tokens, manifest), attention_of(output))
            for source, output in zip(sources, decoded, strict=True)
        ]
        with_text = [(sentence, cross) for sentence, cross in sentences if sentence.has_text]
        posteriors = ibm_model_1([sentence.pair for sentence, _ in with_text])
        expected += [sentence.spread(posterior) for (sentence, _), posterior in zip(with_text, posteriors, strict=True)]
        maps += [cross for _, cross in with_text]
    return best_heads(maps, expected) if maps else None


class _Sentence:
    """A source and its translation, with the positions of their tokens that are text.

    Args:
        source: int64 [source].
        target: int64 [target].
    """

    def __init__(self, source: Int64Array, target: Int64Array, manifest: Manifest) -> None:
        affixes: set[int] = set()
        if isinstance(manifest.source, TextSource):
            text = manifest.source
            by_key = (text.prefix_ids, text.language_prefix_ids, text.language_suffix_ids)
            affixes = {i for ids_by_key in by_key for ids in ids_by_key.values() for i in ids}
            affixes |= {*text.suffix_ids}
        special = {*manifest.target.special_ids, *manifest.target.end_ids}
        self._source_positions = np.flatnonzero(~np.isin(source, list(affixes)))
        self._target_positions = np.flatnonzero(~np.isin(target, list(special)))
        self._shape = (len(target), len(source))
        self.pair: SentencePair = (source[self._source_positions].tolist(), target[self._target_positions].tolist())

    @property
    def has_text(self) -> bool:
        """Whether both sides have tokens that are text."""
        return bool(self.pair[0] and self.pair[1])

    def spread(self, posterior: Float32Array) -> Float32Array:
        """A matrix between all tokens, with zeros at special ones; posterior: between the tokens that are text."""
        spread = np.zeros(self._shape, np.float32)
        spread[np.ix_(self._target_positions, self._source_positions)] = posterior
        return spread


def best_heads(maps: Sequence[Float32Array], expected: Sequence[Float32Array]) -> AlignmentChoice:
    """Chooses heads, and whether they are shifted.

    Args:
        maps: cross-attention of each sentence, float32 [layers, heads, target, source].
        expected: of each sentence, float32 [target, source]; rows of special tokens are 0.
    """
    layers, heads = maps[0].shape[:2]
    candidates = list(product(range(layers), range(heads)))
    choices = [_add_heads(candidates, maps, expected, is_shifted=is_shifted) for is_shifted in (False, True)]
    return max(choices, key=lambda choice: choice.agreement)


def _add_heads(
    candidates: Sequence[tuple[int, int]],
    maps: Sequence[Float32Array],
    expected: Sequence[Float32Array],
    *,
    is_shifted: bool,
) -> AlignmentChoice:
    """Adds the head that improves agreement most, until none does by `MIN_GAIN`."""
    best = AlignmentChoice((), is_shifted, 0.0)
    while len(best.heads) < len(candidates):
        tried = [(*best.heads, pair) for pair in candidates if pair not in best.heads]
        agreements = [agreement([_alignment(cross, pairs, is_shifted) for cross in maps], expected) for pairs in tried]
        top = int(np.argmax(agreements))
        if agreements[top] < best.agreement + MIN_GAIN and best.heads:
            break
        best = AlignmentChoice(tried[top], is_shifted, agreements[top])
    return AlignmentChoice(tuple(sorted(best.heads)), is_shifted, best.agreement)


def _alignment(cross: Float32Array, pairs: Sequence[tuple[int, int]], is_shifted: bool) -> Float32Array:
    """The alignment that the server computes from these heads; cross: float32 [layers, heads, target, source]."""
    layers, heads = zip(*pairs, strict=True)
    alignment: Float32Array = cross[list(layers), list(heads)].mean(axis=0)
    return np.concatenate([alignment[1:], alignment[-1:]]) if is_shifted else alignment


def agreement(alignments: Sequence[Float32Array], expected: Sequence[Float32Array]) -> float:
    """The average expected probability of each target token's strongest source token.

    Columns without any expected probability, as of special tokens, do not compete (as in `hard_links`).
    """
    total = agreeing = 0.0
    for alignment, probability in zip(alignments, expected, strict=True):
        is_counted = probability.sum(axis=1) > 0
        competing = np.where(probability.any(axis=0), alignment, -1.0)
        strongest = competing.argmax(axis=1)
        agreeing += float(probability[is_counted, strongest[is_counted]].sum())
        total += int(is_counted.sum())
    return agreeing / max(total, 1)
