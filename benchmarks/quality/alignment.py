"""Word alignment: the default alignment of given translations, against alignments by hand.

Reads DATA/alignment/dev.en-XX.jsonl.gz. The service aligns only what it writes itself; so these translations go through
the bundle's trace graph in this process, with the service's own reading, reduction and links.
"""

import gzip
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.served_model import ServedModel
from benchmarks.quality.corpus import data_folder
from benchmarks.quality.quality_report import Score
from benchmarks.quality.task import LeftOut
from regard.arrays import Float32Array
from regard_service.bundle import Bundle, Variant
from regard_service.domain.results import Span, Token
from regard_service.engine.runtime.runner import Runner
from regard_service.maps.links import MIN_GROWN, symmetric_links
from regard_service.maps.reduce import align, shift
from regard_service.text.reading import SourceReader

NAME = "alignment"
TITLE = "Word alignment (Europarl, Hansards, Golden Collection)"
LANGUAGES = ("de", "fr", "es", "pt")

_NO_SPACE_BEFORE = frozenset(".,;:!?)]%…")
_NO_SPACE_AFTER = frozenset("([¿¡")

WordLinks = set[tuple[int, int]]


@dataclass(frozen=True)
class Aligned:
    """A pair aligned by hand; without that distinction, all links are sure.

    Attributes:
        sure, possible: (source, target) positions of words, from 0; possible ones include the sure ones.
    """

    source: list[str]
    target: list[str]
    sure: WordLinks
    possible: WordLinks


def read_pairs(data: Path, language: str, limit: int | None) -> list[Aligned]:
    """Reads the pairs of a language.

    Raises:
        LeftOut: the data set is missing.
    """
    file = data_folder(data, NAME) / f"dev.en-{language}.jsonl.gz"
    if not file.exists():
        raise LeftOut(f"there is no {file.name} in the folder {NAME}")
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [_aligned(json.loads(line)) for line in islice(lines, limit)]


def _aligned(row: dict[str, Any]) -> Aligned:
    sure = {(int(s), int(t)) for s, t in row.get("sure", row.get("links", ()))}
    return Aligned(row["source"], row["target"], sure, sure | {(int(s), int(t)) for s, t in row.get("possible", ())})


def error_rate(pairs: Sequence[Aligned], links: Sequence[WordLinks]) -> float:
    """AER (Och and Ney 2003): 1 - (|A and S| + |A and P|) / (|A| + |S|), over all pairs; 0 is best."""
    hits = sum(len(a & pair.sure) + len(a & pair.possible) for pair, a in zip(pairs, links, strict=True))
    total = sum(len(a) + len(pair.sure) for pair, a in zip(pairs, links, strict=True))
    return 1 - hits / total


def measure_alignment(folder: Path, data: Path, limit: int | None) -> Iterator[Score]:
    """Yields the scores of a bundle, one per language.

    Raises:
        LeftOut: the data set is missing.
    """
    bundle = Bundle.load(folder)
    aligner = Aligner(bundle)
    for language in LANGUAGES:
        if language in bundle.manifest.target_languages:
            pairs, started = read_pairs(data, language, limit), time.perf_counter()
            links = [aligner.links(pair, language) for pair in pairs]
            yield Score(
                task=NAME,
                title=TITLE,
                split="dev",
                variant=language,
                model=_model(bundle, aligner.variant),
                num_beams=1,
                num_inputs=len(pairs),
                metrics={"aer": round(error_rate(pairs, links), 3)},
                seconds=round(time.perf_counter() - started, 2),
            )


class Aligner:
    """The default alignment of a bundle for given translations."""

    def __init__(self, bundle: Bundle) -> None:
        self._manifest = bundle.manifest
        self.variant = bundle.manifest.variants[0]
        self._runner, self._reader = Runner(bundle, self.variant), SourceReader(bundle)

    def links(self, pair: Aligned, language: str, *, min_grown: float = MIN_GROWN) -> WordLinks:
        """The hard links between words, as the service returns them, or grown by weaker ones too."""
        source_text, source_words = written(pair.source)
        target_text, target_words = written(pair.target)
        source = self._reader.read(source_text, field="source", key=language, truncation="truncate")
        target = self._reader.read(target_text, field="target", key=language, truncation="truncate")
        pieces = [token for token in target.tokens if not token.is_special]
        ids = np.array([self._manifest.target.start_id, *(token.id for token in pieces)], np.int64)
        alignment = self._alignment(self._runner.trace(source.array, ids).cross)
        weights = _word_weights(alignment, (source.tokens, source_words), (pieces, target_words))
        return set(
            symmetric_links(weights, [False] * len(source_words), [False] * len(target_words), min_grown=min_grown)
        )

    def _alignment(self, cross: Float32Array) -> Float32Array:
        """The manifest's default alignment of the pieces: float32 [pieces, source].

        Args:
            cross: float32 [layers, heads, 1 + pieces, source]; the last row is the step that writes the end token.
        """
        layout = self._manifest.attention
        alignment = align(cross, layout.alignment_heads)
        return (shift(alignment) if layout.alignment_shifted else alignment)[:-1]


def written(words: Sequence[str]) -> tuple[str, list[Span]]:
    """The text of tokenized words, without spaces around marks where people write none, and each word's characters."""
    text, spans = "", []
    for word in words:
        if text and word[0] not in _NO_SPACE_BEFORE and text[-1] not in _NO_SPACE_AFTER:
            text += " "
        spans.append(Span(len(text), len(text) + len(word)))
        text += word
    return text, spans


def _word_weights(
    alignment: Float32Array,
    source: tuple[Sequence[Token], Sequence[Span]],
    target: tuple[Sequence[Token], Sequence[Span]],
) -> Float32Array:
    """An alignment of tokens, float32 [target, source], merged to words, as the service does: the same of words.

    Args:
        source, target: the tokens of a side, and the characters of its words.
    """
    sources, targets = _words_of(*source), _words_of(*target)
    merged = np.zeros((len(target[1]), len(source[1])), np.float32)
    counts = np.zeros(len(target[1]), np.float32)
    for row, words in zip(alignment, targets, strict=True):
        counts[words] += 1
        for target_word in words:
            for weight, read in zip(row, sources, strict=True):
                merged[target_word, list(read)] += weight
    merged /= np.maximum(counts, 1)[:, None]
    return merged


def _words_of(tokens: Sequence[Token], words: Sequence[Span]) -> list[list[int]]:
    """The words that each token is part of; special tokens are part of none."""
    return [
        [] if token.span is None else [number for number, word in enumerate(words) if _overlap(token.span, word)]
        for token in tokens
    ]


def _overlap(first: Span, second: Span) -> bool:
    return max(first.start, second.start) < min(first.end, second.end)


def _model(bundle: Bundle, variant: Variant) -> ServedModel:
    manifest = bundle.manifest
    size = sum(file.stat().st_size for file in bundle.folder.rglob("*") if file.is_file())
    return ServedModel(
        name=manifest.name,
        version=manifest.version,
        precision=variant.precision,
        provider=variant.providers[0],
        size_mb=round(size / 1e6, 1),
    )
