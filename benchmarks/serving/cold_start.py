"""Measures the time from the start of `regard serve` to the first healthy answer and the first translation."""

import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.harness.process import resident_mb
from benchmarks.harness.servers import serve
from benchmarks.harness.spread import Spread
from benchmarks.serving.sentences import SENTENCES
from regard import Client


class ColdStart(BaseModel):
    """Times of consecutive starts; after the first, the system has cached all files.

    Attributes:
        first_healthy_s: `healthy_s` of the first start, which may read files from disk.
        healthy_s: time until the health service answers SERVING.
        translation_s: time until the first translation, requested as soon as the server is healthy.
        resident_mb: resident memory of the healthy server before any request; None if the system does not report it.
    """

    model_config = ConfigDict(frozen=True)

    first_healthy_s: float
    healthy_s: Spread
    translation_s: Spread
    resident_mb: Spread | None


def measure_cold_start(bundles: Path | None, model: str, language: str, repetitions: int) -> ColdStart:
    """Starts and stops the server `repetitions` times with one model."""
    starts = [_start(bundles, model, language) for _ in range(repetitions)]
    memory = [resident for _, _, resident in starts if resident is not None]
    return ColdStart(
        first_healthy_s=round(starts[0][0], 3),
        healthy_s=Spread.of([healthy for healthy, _, _ in starts], 3),
        translation_s=Spread.of([translation for _, translation, _ in starts], 3),
        resident_mb=Spread.of(memory, 1) if memory else None,
    )


def _start(bundles: Path | None, model: str, language: str) -> tuple[float, float, float | None]:
    with serve(bundles, models=(model,)) as server:
        server.wait_until_healthy()
        healthy = time.perf_counter() - server.started
        memory = resident_mb(server.process.pid)
        with Client(server.target) as client:
            client.translate(SENTENCES[0], to=language, model=model, num_beams=1)
        return healthy, time.perf_counter() - server.started, memory
