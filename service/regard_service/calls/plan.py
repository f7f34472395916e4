"""The plan of a call: its model, its generation, its inputs, and the requests that the engine runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from regard_service.auth.caller import current_caller
from regard_service.calls.answer_size import MakingMemory
from regard_service.calls.inputs import Parts
from regard_service.calls.results import ResultBuilder
from regard_service.domain.calls import Call
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver.permit import Permit
from regard_service.generation import Generation
from regard_service.observability.tracing.record import watcher
from regard_service.repository.loader import LoadedModel


class Memory:
    """The memory that a call's answer takes while it is made, taken when this is built. Raises Overloaded."""

    def __init__(self, making: MakingMemory, num_bytes: int) -> None:
        making.take(num_bytes)
        self._making = making
        self._num_bytes = num_bytes

    def close(self) -> None:
        """Gives the memory back."""
        self._making.give_back(self._num_bytes)
        self._num_bytes = 0


@dataclass(frozen=True)
class CallPlan:
    """A call whose model is chosen and whose inputs are read. None of its requests has been submitted.

    Attributes:
        requests: the engine's requests: for every part of every input, one per sequence.
        permit: the call's places in the queue.
        memory: of the answer's making.
    """

    model: LoadedModel
    generation: Generation
    inputs: tuple[Parts, ...]
    call: Call
    requests: tuple[EngineRequest, ...]
    permit: Permit
    memory: Memory

    def close(self) -> None:
        """Gives back what the call holds. Whoever runs the plan closes it."""
        self.permit.close()
        self.memory.close()

    def result_builder(self, index: int) -> ResultBuilder:
        """Returns the builder of an input's result."""
        return ResultBuilder(self.model, self.inputs[index], self.call.attention, self.generation)


def engine_requests(inputs: Sequence[Parts], generation: Generation, call: Call) -> Iterator[EngineRequest]:
    """Yields the engine's requests: for every part of every input, one per sequence."""
    watch, caller = watcher(), current_caller()
    for parts in inputs:
        for part in parts:
            for each in sequences(parts, generation):
                yield EngineRequest(
                    source=part.array,
                    generation=each,
                    attention=bool(call.attention.kinds),
                    deadline=call.deadline,
                    bulk=call.is_bulk,
                    watch=watch,
                    caller=caller,
                )


def sequences(parts: Parts, generation: Generation) -> list[Generation]:
    """Returns the decodings of each part: one, or with sampling one per returned sequence, each with its seed."""
    sampling = generation.sampling
    count = 1 if len(parts) > 1 else generation.num_return_sequences
    if sampling is None:
        has_count = generation.num_return_sequences == count
        return [generation if has_count else replace(generation, num_return_sequences=count)]
    seeds = [(sampling.seed + number) % 2**63 for number in range(count)]
    return [replace(generation, num_return_sequences=1, sampling=replace(sampling, seed=seed)) for seed in seeds]
