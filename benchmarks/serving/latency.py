"""Measures the latency of a single caller."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.spread import percentile
from regard import Result

MAX_SECONDS = 60.0

Ask = Callable[[], Result]
"""Makes one call and waits for its answer."""


class Latency(BaseModel):
    """One request at a time, greedy, through `regard.Client` on loopback.

    Attributes:
        p50_ms, p95_ms: from the call until the client returns its typed result.
        encode_p50_ms, decode_p50_ms: the server's own timings.
        tokens_per_request: mean number of output tokens, including the end token.
    """

    model_config = ConfigDict(frozen=True)

    num_requests: int
    p50_ms: float
    p95_ms: float
    minimum_ms: float
    maximum_ms: float
    encode_p50_ms: float
    decode_p50_ms: float
    tokens_per_request: float


def measure_latency(ask: Sequence[Ask], num_warmup: int, num_requests: int) -> Latency:
    """Makes the calls in turn, `num_requests` of them or for at most `MAX_SECONDS`."""
    for _ in _answers(ask, num_warmup):
        pass
    answers = list(_answers(ask, num_requests))
    milliseconds = [1000 * seconds for seconds, _ in answers]
    timings = [result.timings for _, result in answers]
    return Latency(
        num_requests=len(answers),
        p50_ms=round(percentile(milliseconds, 0.50), 2),
        p95_ms=round(percentile(milliseconds, 0.95), 2),
        minimum_ms=round(min(milliseconds), 2),
        maximum_ms=round(max(milliseconds), 2),
        encode_p50_ms=round(percentile([each.encode_ms for each in timings], 0.50), 2),
        decode_p50_ms=round(percentile([each.decode_ms for each in timings], 0.50), 2),
        tokens_per_request=round(sum(len(result.best.tokens) for _, result in answers) / len(answers), 2),
    )


def _answers(ask: Sequence[Ask], count: int) -> Iterator[tuple[float, Result]]:
    """Yields seconds and result of each call."""
    end = time.perf_counter() + MAX_SECONDS
    for call in islice(cycle(ask), count):
        sent = time.perf_counter()
        if sent > end:
            return
        result = call()
        yield time.perf_counter() - sent, result
