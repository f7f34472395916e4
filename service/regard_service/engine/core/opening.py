"""Opens the batch that a model's requests need."""

from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.one_step import OneStepBatch
from regard_service.engine.core.rows import Rows
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import SlotsShape


def open_batch(runner: Runner, shape: SlotsShape, observer: EngineObserver | None = None) -> Rows:
    """A batch without requests. Raises MemoryError if there is none for its buffers."""
    kind = RunningBatch if runner.manifest.has_decoder else OneStepBatch
    return kind(runner, shape, observer)
