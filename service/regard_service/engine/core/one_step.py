"""Requests of models without a decoder: one step each, whose work is the encode graph's.

A request waits, is admitted, is encoded and gets a row as any other; the next step hands out what encode returned.
"""

import time

import numpy as np

from regard.arrays import Array
from regard_service.bundle import PiecesOutput, TensorSpec
from regard_service.engine.core.request import RequestState
from regard_service.engine.core.result import EngineResult, RequestUpdate
from regard_service.engine.core.rows import ContinueStepping, Encoded, Rows, step_once


class OneStepBatch(Rows):
    """Requests that end at their first step."""

    _outputs: dict[RequestState, dict[str, Array]] | None = None  # of the live requests

    @property
    def encoded_bytes(self) -> int:
        """Nothing is kept between steps."""
        return 0

    @property
    def state_bytes(self) -> int:
        """There is no state."""
        return 0

    @property
    def map_bytes(self) -> int:
        """Maps come from the trace graph."""
        return 0

    def join(self, encoded: Encoded) -> None:
        """Gives each of these requests a row, with its part of the outputs."""
        name = self.runner.manifest.name
        sources = [request.request.source for request in encoded.requests]
        self._outputs = self._outputs or {}
        for request, outputs in zip(encoded.requests, self._divided(sources, encoded), strict=True):
            self._rows.append(request)
            self._outputs[request] = outputs
            num_source = self.runner.source_length(request.request.source)
            self.observer.admitted(name, request.admitted - request.submitted, num_source)

    def step(self, continue_stepping: ContinueStepping = step_once) -> list[RequestUpdate]:
        """Ends every live request; returns the results."""
        requests, outputs = self.requests, self._outputs or {}
        began = time.monotonic()
        updates = [RequestUpdate(request, self._result(request, outputs[request])) for request in requests]
        self._outputs = None
        self._rows.clear()
        if not requests:  # all of them were evicted
            return []
        self.num_steps += 1
        name = self.runner.manifest.name
        self.observer.stepped(name, len(requests), time.monotonic() - began)
        for _ in requests:
            self.observer.finished(name, "done", 0, "decode")
        return updates

    def _result(self, request: RequestState, outputs: dict[str, Array]) -> EngineResult:
        request.num_steps, request.ended = 1, time.monotonic()
        return EngineResult(
            (),
            queue_s=request.admitted - request.submitted,
            encode_s=request.encode_s,
            decode_s=request.ended - request.admitted - request.encode_s,
            outputs=outputs,
        )

    def _divided(self, sources: list[Array], encoded: Encoded) -> list[dict[str, Array]]:
        """Each request's part of every output: its row, or the positions of its tokens or of its masks."""
        counts: dict[str | int, list[int]] = {
            "tokens": [self.runner.source_length(source) for source in sources],
            "masked": [num_masks(self.runner.manifest.output, source) for source in sources],
        }
        parts: list[dict[str, Array]] = [{} for _ in sources]
        for spec in self.runner.manifest.memory:
            for part, values in zip(parts, _rows_of(spec, encoded.memory[spec.name], counts), strict=True):
                part[spec.name] = values
        return parts


def _rows_of(spec: TensorSpec, values: Array, counts: dict[str | int, list[int]]) -> list[Array]:
    """Each request's part of an output, as copies: a view would keep the whole output in memory."""
    if spec.shape[0] == "requests":
        return [row.copy() for row in values]
    bounds = np.cumsum(counts[spec.shape[0]])
    return [part.copy() for part in np.split(values, bounds[:-1])]


def num_masks(output: object, source: Array) -> int:
    """How many masks a source has: int64 [source]."""
    return int((source == output.mask_id).sum()) if isinstance(output, PiecesOutput) else 0
