"""Drives the core to the end of some requests: for the warm-up and the export, which have no queue and no threads."""

import time
from collections import deque
from collections.abc import Iterator, Sequence

from regard_service.engine.core.opening import open_batch
from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.core.result import EngineResult
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import SlotsShape
from regard_service.errors import ServiceError

# Rows behind the longest source, so that masks matter, as on the server, whose buckets are longer than most sources.
SPARE_POSITIONS = 3

# Source positions that are encoded in one call, unless a single source has more: larger calls are no faster a position,
# and the allocator keeps the memory of the largest.
MAX_ENCODED_POSITIONS = 128


def decode(runner: Runner, requests: Sequence[EngineRequest], *, max_rows: int = 32) -> Iterator[EngineResult]:
    """Decodes requests in one running batch; a finished one leaves at once, and the next joins.

    Args:
        requests: all with the same number of beams.
        max_rows: how many run side by side.

    Returns:
        the results in the requests' order, each as soon as it and those before it exist.

    Raises:
        DeadlinePassed: a request's deadline passed.
    """
    if not requests:
        return
    batch = open_batch(runner, _shape(runner, requests, max_rows))
    waiting = deque(RequestState(request, time.monotonic()) for request in requests)
    unyielded, results = deque(waiting), dict[RequestState, EngineResult]()
    while unyielded:
        joining = [waiting.popleft() for _ in range(min(len(waiting), batch.shape.max_requests - batch.num_live))]
        for group in groups(runner, joining):
            batch.join(batch.encode(group))
        for update in (*batch.evict(), *batch.step(lambda num_ended: not num_ended or not waiting)):
            if isinstance(update.news, ServiceError):
                raise update.news
            if isinstance(update.news, EngineResult):
                results[update.request] = update.news
        while unyielded and unyielded[0] in results:
            yield results.pop(unyielded.popleft())


def groups(runner: Runner, requests: Sequence[RequestState]) -> list[list[RequestState]]:
    """The requests by the calls that encode them, in order."""
    found: list[list[RequestState]] = []
    num_positions = MAX_ENCODED_POSITIONS
    for request in requests:
        length = runner.source_length(request.request.source)
        if num_positions + length > MAX_ENCODED_POSITIONS:
            found.append([])
            num_positions = 0
        found[-1].append(request)
        num_positions += length
    return found


def _shape(runner: Runner, requests: Sequence[EngineRequest], max_rows: int) -> SlotsShape:
    return SlotsShape(
        max_requests=min(max_rows, len(requests)),
        num_beams=requests[0].generation.num_beams,
        source=max(runner.source_length(request.source) for request in requests) + SPARE_POSITIONS,
        capacity=max(request.generation.max_new_tokens for request in requests),
        is_listed=requests[0].is_listed,
    )
