"""Measures latency and alignment of each model for a single caller."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from pydantic import BaseModel, ConfigDict
from rich.progress import Progress

from benchmarks.harness.spread import percentile
from regard import Client, Result


class Attending(BaseModel):
    """Means over the output tokens of sentences, greedy, without special tokens.

    Attributes:
        p50_ms: median latency of single calls without the alignment.
        token_ms: the server's decoding time per token, without the alignment.
        entropy: entropy of an alignment row, in nats: 0 if all weight is on one source token.
        entropy_share: entropy over the logarithm of the number of source tokens: 1 for a uniform row.
        peak: largest weight of a row.
    """

    model_config = ConfigDict(frozen=True)

    num_sentences: int
    p50_ms: float
    token_ms: float
    entropy: float
    entropy_share: float
    peak: float


@dataclass(frozen=True)
class _Row:
    """The alignment row of one output token."""

    entropy: float
    num_source: int
    peak: float


def attend(
    target: str, models: Sequence[str], language: str, texts: Sequence[str], progress: Progress
) -> list[Attending]:
    """Translates every text with each model before the next text, so that drift affects all models equally."""
    calls: dict[str, list[tuple[float, Result]]] = {name: [] for name in models}
    rows: dict[str, list[_Row]] = {name: [] for name in models}
    bar = progress.add_task("one at a time", total=len(texts))
    with Client(target) as client:
        for name in models:
            client.translate(list(texts[:1]), language, model=name, num_beams=1)  # the first call warms up
        for text in texts:
            for name in models:
                calls[name].append(_timed(client, text, language, name))
                rows[name] += _rows(client.translate(text, language, model=name, num_beams=1, attention=True))
            progress.advance(bar)
    return [_means(calls[name], rows[name]) for name in models]


def _timed(client: Client, text: str, language: str, model: str) -> tuple[float, Result]:
    """Latency of a call in milliseconds, and its result."""
    sent = time.perf_counter()
    result = client.translate(text, language, model=model, num_beams=1)
    return 1000 * (time.perf_counter() - sent), result


def _rows(result: Result) -> Iterator[_Row]:
    alignment = result.alignment
    if alignment is None:
        raise ValueError("the result has no alignment")
    for token, entropy, weights in zip(result.best.tokens, result.best.entropy, alignment.values, strict=True):
        if not token.special:
            yield _Row(entropy, len(weights), float(weights.max()))


def _means(calls: Sequence[tuple[float, Result]], rows: Sequence[_Row]) -> Attending:
    num_tokens = sum(len(result.best.tokens) for _, result in calls)
    return Attending(
        num_sentences=len(calls),
        p50_ms=round(percentile([milliseconds for milliseconds, _ in calls], 0.50), 2),
        token_ms=round(sum(result.timings.decode_ms for _, result in calls) / num_tokens, 3),
        entropy=round(fmean(row.entropy for row in rows), 3),
        entropy_share=round(fmean(row.entropy / math.log(row.num_source) for row in rows), 3),
        peak=round(fmean(row.peak for row in rows), 3),
    )
