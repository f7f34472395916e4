"""What the pipeline costs: processor time of plain sentences through it, against `raw`."""

from collections.abc import Sequence
from dataclasses import dataclass

import regard
from benchmarks.harness.process import cpu_seconds

BATCH = 64
NUM_WARM_UP = 4


@dataclass(frozen=True)
class CostOutcome:
    """Processor time of the server.

    Attributes:
        throughput: time of `raw` over that of the pipeline, of all batches.
        ms: of a sentence through the pipeline.
    """

    num_sentences: int
    throughput: float
    ms: float


def measure_cost(client: regard.Client, sources: Sequence[str], model: str, to: str, process_id: int) -> CostOutcome:
    """Sends batches of sentences both ways, in turns, so that other work on the machine slows both alike."""
    batches = [list(sources[start : start + BATCH]) for start in range(0, len(sources) - BATCH + 1, BATCH)]
    spent = {True: 0.0, False: 0.0}
    for number, batch in enumerate([*batches[:NUM_WARM_UP], *batches]):
        times = {}
        for raw in (True, False) if number % 2 else (False, True):
            before = cpu_seconds(process_id) or 0.0
            client.translate(batch, to, model=model, raw=raw, timeout=600)
            times[raw] = (cpu_seconds(process_id) or 0.0) - before
        if number >= NUM_WARM_UP:
            spent = {raw: spent[raw] + seconds for raw, seconds in times.items()}
    num_sentences = BATCH * len(batches)
    return CostOutcome(num_sentences, spent[True] / spent[False], 1000 * spent[False] / num_sentences)
