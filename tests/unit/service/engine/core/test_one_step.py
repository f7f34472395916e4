"""Requests of models without a decoder: each gets its own part of the outputs, at its first step."""

import time
from collections.abc import Sequence

import numpy as np
import pytest

from regard.arrays import Array
from regard_service.bundle import Manifest
from regard_service.engine.core.decode import decode
from regard_service.engine.core.one_step import OneStepBatch
from regard_service.engine.core.opening import open_batch
from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.core.result import EngineResult
from regard_service.engine.policy.lanes import Lanes
from regard_service.engine.policy.policy import BatchingPolicy, EngineConfig
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import SlotsShape
from regard_service.errors import DeadlinePassed
from regard_service.generation import ONE_STEP

MASK = 9


def one_step_manifest() -> Manifest:
    """A model that fills masks, whose encode graph also outputs a number of each request and of each token."""
    outputs = [
        {"name": "first", "dtype": "int64", "shape": ["requests"]},
        {"name": "doubled", "dtype": "int64", "shape": ["tokens"]},
        {"name": "before", "dtype": "int64", "shape": ["masked"]},
    ]
    graph = {"file": "none.onnx", "inputs": [], "outputs": outputs}
    return Manifest.model_validate(
        {
            "name": "masks",
            "version": "1",
            "task": "mask_filling",
            "family": "fake",
            "source": {"tokenizer": "none.json", "control_tokens": [{"content": "[M]", "id": MASK}]},
            "output": {"kind": "pieces", "mask": "[M]", "mask_id": MASK, "candidates": 1},
            "max_source_tokens": 64,
            "attention": {"layers": 0, "heads": 0},
            "memory": outputs,
            "variants": [{"precision": "float32", "providers": ["CPUExecutionProvider"], "encode": graph}],
            "provenance": {"source": "a test"},
            "files": {},
        }
    )


class OneStepRunner(Runner):
    """Outputs each request's first token, twice each token, and the token before each mask."""

    def __init__(self) -> None:
        self.manifest = one_step_manifest()
        self.calls: list[int] = []

    def source_length(self, source: Array) -> int:
        return len(source)

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        self.calls.append(len(sources))
        packed = np.concatenate(sources)
        masks = np.flatnonzero(packed == MASK)
        return {"first": np.array([s[0] for s in sources]), "doubled": 2 * packed, "before": packed[masks - 1]}


def states(*sources: Sequence[int], deadline: float | None = None) -> list[RequestState]:
    return [
        RequestState(EngineRequest(np.array(source), ONE_STEP, deadline=deadline), time.monotonic())
        for source in sources
    ]


def test_outputs_are_divided_by_requests_tokens_and_masks() -> None:
    sources = [[1, 2, MASK, 3], [4, MASK], [5, MASK, 6, MASK]]
    requests = [EngineRequest(np.array(source), ONE_STEP) for source in sources]
    results = list(decode(OneStepRunner(), requests))
    assert [int(result.outputs["first"]) for result in results] == [1, 4, 5]
    assert [result.outputs["doubled"].tolist() for result in results] == [[2 * t for t in s] for s in sources]
    assert [result.outputs["before"].tolist() for result in results] == [[2], [4], [5, 6]]
    assert all(result.hypotheses == () for result in results)


def test_a_request_that_left_before_the_step_gets_no_result_and_others_theirs() -> None:
    batch = open_batch(OneStepRunner(), SlotsShape(4, 1, 32, 0))
    assert isinstance(batch, OneStepBatch)
    gone, stays = states([1, MASK], [2, MASK])
    batch.join(batch.encode([gone, stays]))
    gone.has_left = True
    (evicted,) = batch.evict()
    assert isinstance(evicted.news, DeadlinePassed)
    (update,) = batch.step()
    assert update.request is stays
    assert isinstance(update.news, EngineResult)
    assert batch.num_live == 0
    assert batch.step() == []


def test_a_batch_whose_requests_all_left_is_empty() -> None:
    batch = open_batch(OneStepRunner(), SlotsShape(4, 1, 32, 0))
    batch.join(batch.encode(states([1, MASK], deadline=time.monotonic() - 1)))
    assert len(batch.evict()) == 1
    assert batch.step() == []
    batch.join(batch.encode(states([3, MASK])))
    assert len(batch.step()) == 1


@pytest.mark.parametrize(("length", "rows"), [(3, 8), (40, 4), (60, 4)])
def test_a_lane_s_batch_has_rows_for_256_positions(length: int, rows: int) -> None:
    runner = OneStepRunner()
    lane = Lanes(max_slots=32).lane(runner, EngineRequest(np.full(length, MASK), ONE_STEP))
    assert lane.shape.max_requests == rows


def test_every_worker_gets_a_batch_of_its_own_and_nobody_encodes_ahead() -> None:
    policy, runner = BatchingPolicy(EngineConfig(num_workers=2)), OneStepRunner()
    for state in states(*[[1, MASK]] * 20):
        policy.submit(state, policy.lane(runner, state.request))
    lane = policy.lanes[0]
    batches = [policy.opened(lane) for _ in range(2)]
    works = [policy.decide(0.0, 0).work for _ in range(2)]
    assert [getattr(work, "batch", None) for work in works] == batches
    assert policy.decide(0.0, 0).work is None
    assert lane.num_waiting == 20 - 2 * lane.shape.max_requests
