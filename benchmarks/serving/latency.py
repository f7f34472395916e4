"""How long one caller waits, with nobody else there."""

import time
from collections.abc import Iterator
from itertools import cycle, islice

from pydantic import BaseModel, ConfigDict

from benchmarks.serving.sentences import SENTENCES
from benchmarks.spread import percentile
from regard import Client, Result

NUM_WARMUP = 2 * len(SENTENCES)
MAX_SECONDS = 60.0


class Latency(BaseModel):
    """One request at a time, greedy, through `regard.Client` on loopback.

    Attributes:
        p50_ms, p95_ms: from the call until its typed result is there.
        encode_p50_ms, decode_p50_ms: the server's own timings.
        tokens_per_request: mean number of output tokens, end token included.
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


def measure_latency(target: str, model: str, language: str, num_requests: int) -> Latency:
    """Asks for the sentences in turn, so often or for a minute."""
    with Client(target) as client:
        for _ in _answers(client, model, language, NUM_WARMUP):
            pass
        answers = list(_answers(client, model, language, num_requests))
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


def _answers(client: Client, model: str, language: str, count: int) -> Iterator[tuple[float, Result]]:
    """Yields seconds and result of each call."""
    end = time.perf_counter() + MAX_SECONDS
    for text in islice(cycle(SENTENCES), count):
        sent = time.perf_counter()
        if sent > end:
            return
        result = client.translate(text, to=language, model=model, num_beams=1)
        yield time.perf_counter() - sent, result
