"""Which rows there are."""

from functools import partial

from benchmarks.peers.jobs import Job, forced
from benchmarks.peers.models import MARIAN, Model
from benchmarks.peers.rows import BatchRow, Context, Row

GROUPS = {1: 12, 8: 8, 32: 6, 64: 4}  # of a round, by batch: about as long each


def _forced(model: Model, batch: int, num_beams: int, context: Context) -> Job:
    num_groups = max(2, GROUPS[batch] // (2 if num_beams > 1 else 1))
    return forced(model, batch, num_groups, num_beams=num_beams)


def _greedy(batch: int, needed: float, goal: float) -> Row:
    measure = BatchRow(MARIAN, batch, partial(_forced, MARIAN, batch, 1), needed, goal)
    where = "1 at a time" if batch == 1 else f"batches of {batch}"
    return Row(f"greedy-{batch}", f"Marian-base, greedy, {where}", MARIAN, measure)


def _beam(batch: int, needed: float, goal: float) -> Row:
    measure = BatchRow(MARIAN, batch, partial(_forced, MARIAN, batch, 4), needed, goal, num_beams=4)
    where = "1 at a time" if batch == 1 else f"batches of {batch}"
    return Row(f"beam-{batch}", f"Marian-base, 4 beams, {where}", MARIAN, measure)


ROWS = (
    _greedy(1, 1.8, 2.5),
    _greedy(8, 1.4, 2.0),
    _greedy(32, 1.25, 1.6),
    _greedy(64, 1.15, 1.5),
    _beam(1, 1.4, 2.0),
    _beam(8, 1.3, 1.8),
)
