"""Learns a shortlist: what each source piece may become, from sentence pairs of the data and of the model itself.

A target piece stands in the list of the source pieces that IBM Model 1 links it with, in the references of a data
folder and in the model's own outputs for its sources. Frequent pieces of a target language stand in the list of the
token that names this language in the source, or of one that every source has.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from regard.arrays import Int64Array
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.errors import ExportError
from regard_export.examples.input_readers import open_input_reader
from regard_export.examples.training_texts import TrainingTexts
from regard_export.families.bergamot.shortlists import shortlist_content
from regard_export.references.protocols import as_array
from regard_export.tuning.ibm_model_1 import SentencePair, link_counts
from regard_service.bundle import Bundle, Manifest, TextSource
from regard_service.generation import Generation
from regard_service.text.given import TargetReader
from regard_service.text.tokenizer import load_tokenizer
from regard_service.text.writing import TargetWriter

MAX_PAIRS = 100_000  # of a target language, in the data
MAX_OWN, MIN_OWN = 4_000, 200  # sources of a target language that the model translates
MAX_OWN_WORK = 30_000_000_000  # these sources times parameters, beyond which there are fewer
MAX_NEW_TOKENS = 64
NUM_FREQUENT = 500  # pieces of a target language that all its outputs may have
NUM_LINKED = 100  # pieces that a source piece may become
MIN_LINKS = 0.2  # expected, of a pair of pieces, in all sentences


def learn_shortlist(bundle: Bundle, texts: Mapping[str, TrainingTexts]) -> bytes:
    """Learns what each source piece may become, in Marian's format.

    Args:
        bundle: with a float32 variant, whose greedy outputs teach.
        texts: by target language.

    Raises:
        ExportError: every source begins and ends with pieces of its text, so that frequent pieces have no place.
    """
    pieces = _Pieces(bundle)
    lists = WordLists(pieces.num_source, bundle.manifest.target.vocab_size)
    rows = language_rows(pieces.text, list(texts))
    pairs = _pairs_by_language(bundle, texts, pieces)
    for key, found in pairs.items():
        lists.add_linked(found)
        lists.add_frequent(rows[key], found)
    lists.add_spelled(pieces.source, pieces.target)
    return lists.content(never=bundle.manifest.target.silent_ids)


class WordLists:
    """The lists of the source pieces, as they grow.

    Args:
        num_source, num_target: pieces of either vocabulary.
    """

    def __init__(self, num_source: int, num_target: int) -> None:
        self._num_target = num_target
        self._lists: list[set[int]] = [set() for _ in range(num_source)]

    def add_linked(self, pairs: Sequence[SentencePair]) -> None:
        """Adds to each source piece's list the target pieces with which it has most links."""
        links = link_counts(pairs)
        is_counted = links.counts >= MIN_LINKS
        sources, targets, counts = (x[is_counted] for x in (links.sources, links.targets, links.counts))
        order = np.lexsort((-counts, sources))
        sources, targets = sources[order], targets[order]
        first = np.searchsorted(sources, sources)  # position of the same source's best link
        is_best = np.arange(len(sources)) - first < NUM_LINKED
        for source, target in zip(sources[is_best].tolist(), targets[is_best].tolist(), strict=True):
            self._lists[source].add(target)

    def add_frequent(self, row: int, pairs: Sequence[SentencePair]) -> None:
        """Adds the most frequent target pieces to the list of one source piece."""
        counts = Counter(target for _, targets in pairs for target in targets)
        self._lists[row] |= {target for target, _ in counts.most_common(NUM_FREQUENT)}

    def add_spelled(self, source: Mapping[str, int], target: Mapping[str, int]) -> None:
        """Adds the target pieces that are parts of a source piece: names and numbers are copied in other cuts.

        Args:
            source, target: ids by piece.
        """
        longest = max(map(len, target), default=0)
        for piece, i in source.items():
            lengths = range(1, min(len(piece), longest) + 1)
            parts = (piece[a : a + n] for n in lengths for a in range(len(piece) - n + 1))
            self._lists[i] |= {target[part] for part in parts if part in target}

    def content(self, never: Iterable[int]) -> bytes:
        """The lists in Marian's format. Args: never: ids that no list has."""
        left_out = set(never)
        lists = [sorted(each - left_out) for each in self._lists]
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in lists])]).astype(np.uint64)
        ids = np.array([i for each in lists for i in each], np.uint32)
        return shortlist_content(0, offsets, ids)


def language_rows(source: TextSource, keys: Sequence[str]) -> dict[str, int]:
    """For each target language the source token whose list has its frequent pieces: in its sources alone, if one is.

    Raises:
        ExportError: no token is in every source of a language.
    """
    by_key = {key: source.prefix_ids.get(key, source.prefix_ids.get("", ())) for key in keys}
    rows: dict[str, int] = {}
    for key, prefix in by_key.items():
        others = {i for other, ids in by_key.items() if other != key for i in ids}
        names = [i for i in prefix if i not in others]
        found = next(iter([*names, *source.suffix_ids, *prefix]), None)
        if found is None:
            raise ExportError("a shortlist cannot be learned: no token is in every source of the model")
        rows[key] = found
    return rows


class _Pieces:
    """The pieces of both vocabularies: ids by piece, and the tokens that sources have besides those of a text."""

    def __init__(self, bundle: Bundle) -> None:
        manifest = bundle.manifest
        if not isinstance(manifest.source, TextSource):
            raise ExportError(f"a shortlist is learned for models that read texts, not for {manifest.name}")
        self.text = text = manifest.source
        self.source: dict[str, int] = load_tokenizer(bundle, text.tokenizer).get_vocab()
        self.target: dict[str, int] = load_tokenizer(bundle, manifest.target.tokenizer).get_vocab()
        self.affixes = _affixes(text)
        self.num_source = source_vocab_size(text, self.source)


def source_vocab_size(source: TextSource, vocabulary: Mapping[str, int]) -> int:
    """One more than the largest id in a source. Args: vocabulary: ids by piece, of the source's tokenizer."""
    return 1 + max([*vocabulary.values(), *_affixes(source)], default=-1)


def _affixes(source: TextSource) -> set[int]:
    """The tokens that sources have besides those of a text."""
    by_key = (source.prefix_ids, source.language_prefix_ids, source.language_suffix_ids)
    return {*source.suffix_ids, *(i for ids_by_key in by_key for ids in ids_by_key.values() for i in ids)}


def _pairs_by_language(
    bundle: Bundle, texts: Mapping[str, TrainingTexts], pieces: _Pieces
) -> dict[str, list[SentencePair]]:
    """The ids of sources and of their translations, without special tokens: in the data, and by the model."""
    manifest, reader = bundle.manifest, open_input_reader(bundle)
    given = TargetReader(bundle, TargetWriter(bundle)) if manifest.target_reading_tokenizer is not None else None
    translate = _translator(bundle)
    found: dict[str, list[SentencePair]] = {}
    for key, each in texts.items():
        sources = [as_array(reader.read(text, key)) for text in each.sources]
        bare = [source[~np.isin(source, list(pieces.affixes))].tolist() for source in sources]
        own = _spread(range(len(sources)), _num_own(manifest))
        outputs = translate([sources[i] for i in own], key)
        found[key] = [(bare[i], output) for i, output in zip(own, outputs, strict=True)]
        if given is not None and each.targets:
            found[key] += [(source, given.encode(text)) for source, text in zip(bare, each.targets, strict=True)]
    return found


def _translator(bundle: Bundle) -> Callable[[Sequence[Int64Array], str], Iterator[Sequence[int]]]:
    """Greedy outputs in float32, without special tokens."""
    engine, manifest = VariantEngine(bundle, "float32"), bundle.manifest
    silent = list(manifest.target.silent_ids)

    def translate(sources: Sequence[Int64Array], key: str) -> Iterator[Sequence[int]]:
        first = manifest.target.forced_first_id(key)
        generation = Generation(min(MAX_NEW_TOKENS, manifest.max_target_tokens), forced_first_id=first)
        for output in engine.search(sources, generation, attention=False):
            yield output.tokens[~np.isin(output.tokens, silent)].tolist()

    return translate


def _num_own(manifest: Manifest) -> int:
    """How many sources of a language the model translates: fewer for larger models."""
    return min(MAX_OWN, max(MIN_OWN, MAX_OWN_WORK // max(1, manifest.num_parameters)))


def _spread(indexes: range, most: int) -> Sequence[int]:
    """Some of the indexes, evenly spread."""
    return indexes[:: max(1, -(-len(indexes) // most))]
