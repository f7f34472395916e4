"""The server's runner with little memory, for graphs that only the export runs."""

from collections.abc import Sequence

from onnxruntime import SessionOptions

from regard.arrays import Array
from regard_export.resources.memory import release_memory
from regard_export.resources.session_options import minimize_memory, set_num_threads
from regard_service.bundle import Bundle, Variant
from regard_service.engine.runtime.runner import Runner, StepBindings, StepOutput
from regard_service.engine.runtime.slots import Slots

STEPS_PER_RELEASE = 16


class LowMemoryRunner(Runner):
    """Reads weights from their mapped file instead of copying them into the layout that is fastest to multiply.

    Releases the pages of the weights before and after each encode, and every `STEPS_PER_RELEASE` steps.
    """

    def __init__(self, bundle: Bundle, variant: Variant, num_threads: int) -> None:
        self._num_threads, self._num_steps = num_threads, 0
        super().__init__(bundle, variant)

    def _options(self) -> SessionOptions:
        options = super()._options()
        minimize_memory(options)
        set_num_threads(options, self._num_threads)
        return options

    def encode(self, sources: Sequence[Array]) -> dict[str, Array]:
        """As `Runner.encode`."""
        release_memory()
        memory = super().encode(sources)
        release_memory()
        return memory

    def step(self, slots: Slots, num_live: int, num_candidates: int, bindings: StepBindings) -> StepOutput:
        """As `Runner.step`."""
        self._num_steps += 1
        if self._num_steps % STEPS_PER_RELEASE == 0:
            release_memory()
        return super().step(slots, num_live, num_candidates, bindings)
