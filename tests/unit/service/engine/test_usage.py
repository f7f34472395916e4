"""What batches are said to take up is what they hold."""

import numpy as np
import pytest

from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.runtime.slots import SlotsShape
from regard_service.engine.usage import Usage, usage_of
from regard_service.generation import Generation
from tests.unit.service.engine.fake_runner import FakeRunner

SHAPE = SlotsShape(max_requests=4, num_beams=2, source=32, capacity=64)
INT64, FLOAT32 = 8, 4


def state(*, attention: bool) -> RequestState:
    request = EngineRequest(np.arange(5, 9), Generation(max_new_tokens=20, num_beams=2), attention=attention)
    return RequestState(request, submitted=0.0)


def test_an_idle_batch_holds_its_buffers_and_no_slots() -> None:
    batch = RunningBatch(FakeRunner(), SHAPE, EngineObserver())
    assert usage_of([batch]) == {
        "echo": Usage(num_slots=0, num_bytes={"cross": 4 * 32 * INT64, "self": 8 * 64 * INT64, "maps": 0})
    }


@pytest.mark.parametrize("attention", [False, True])
def test_a_running_batch_counts_all_its_slots_and_maps_once_somebody_wants_them(attention: bool) -> None:
    batch, idle = (RunningBatch(FakeRunner(), SHAPE, EngineObserver()) for _ in range(2))
    batch.join(batch.encode([state(attention=attention)]))
    batch.step()
    usage = usage_of([batch, idle])["echo"]
    assert usage.num_slots == SHAPE.max_slots
    assert usage.num_bytes["cross"] == 2 * 4 * 32 * INT64
    assert usage.num_bytes["maps"] == (4 * 64 * 2 * 32 * FLOAT32 if attention else 0)


def test_without_batches_there_is_nothing() -> None:
    assert usage_of([]) == {}
