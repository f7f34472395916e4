"""The plan of a call: its model, its generation, its inputs, and the requests that the engine runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from regard_service.auth.caller import current_caller, current_weight
from regard_service.bundle import Confidence
from regard_service.calls.answer_size import MakingMemory
from regard_service.calls.inputs import Input, Part
from regard_service.calls.passage_results import PassageBuilder
from regard_service.calls.results import ResultBuilder
from regard_service.domain.calls import Call, SummarizeCall, TranslateCall
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver.permit import Permit
from regard_service.engine.search.constraints.constraints import is_constrained
from regard_service.generation import Generation
from regard_service.observability.tracing.record import watcher
from regard_service.passages.output_checks import longest_loop
from regard_service.repository.loader import LoadedModel
from regard_service.text.reading import SourceText

# Most tokens of an output where neither the request nor the checkpoint sets a limit: so many for each token of the
# source (Marian's --max-length-factor), and some more.
MAX_LENGTH_FACTOR = 3
MIN_LENGTH_LIMIT = 16
# Most tokens for which such an output repeats itself, beyond what its source does.
MAX_LOOP_FACTOR, MIN_LOOP_LIMIT = 1.5, 12


class Memory:
    """The memory that a call's answer takes while it is made, taken when this is built. Raises Overloaded.

    Attributes:
        num_bytes: what is expected; 0 once it is given back.
    """

    def __init__(self, making: MakingMemory, num_bytes: int) -> None:
        making.take(num_bytes)
        self._making = making
        self.num_bytes = num_bytes

    def close(self) -> None:
        """Gives the memory back."""
        self._making.give_back(self.num_bytes)
        self.num_bytes = 0


@dataclass(frozen=True)
class CallPlan:
    """A call whose model is chosen and whose inputs are read. None of its requests has been submitted.

    Attributes:
        key: the target language or style.
        requests: the engine's requests: for every part of every input, one per sequence.
        permit: the call's places in the queue.
        memory: of the answer's making.
    """

    model: LoadedModel
    key: str
    generation: Generation
    inputs: tuple[Input, ...]
    call: Call
    requests: tuple[EngineRequest, ...]
    permit: Permit
    memory: Memory

    def close(self) -> None:
        """Gives back what the call holds. Whoever runs the plan closes it."""
        self.permit.close()
        self.memory.close()

    def result_builder(self, index: int) -> ResultBuilder | PassageBuilder:
        """Returns the builder of an input's result."""
        read = self.inputs[index]
        if read.passage is not None:
            return PassageBuilder(self.model, read.passage, self.call.attention, self.generation)
        is_checked = isinstance(self.call, SummarizeCall)
        return ResultBuilder(self.model, read.parts, self.call.attention, self.generation, is_checked=is_checked)

    @property
    def confidence(self) -> Confidence | None:
        """How sure the model's outputs are; None if its export did not learn that."""
        return self.model.manifest.confidence.get(self.key)

    @property
    def has_confidence(self) -> bool:
        """Whether the results say how sure the model is of each word."""
        return isinstance(self.call, TranslateCall) and self.call.has_confidence

    def num_sequences(self, index: int) -> list[int]:
        """Returns the number of requests for each part of an input."""
        read = self.inputs[index]
        return [len(sequences(read, part, self.generation)) for part in read.parts]


def chooses_from_shortlist(model: LoadedModel, generation: Generation) -> bool:
    """Whether a decoding's steps choose among the words of the model's shortlist.

    Sampling draws from the model's whole distribution, and constraints may force or ban any word. The
    first token of a target language is forced without being chosen.
    """
    if not model.runner.has_shortlist or generation.whole_vocabulary:
        return False
    first_is_free = replace(generation, forced_first_id=None) if generation.forced_first_id is not None else generation
    return generation.sampling is None and not is_constrained(first_is_free)


def engine_requests(
    inputs: Sequence[Input], generation: Generation, call: Call, *, is_listed: bool
) -> Iterator[EngineRequest]:
    """Yields the engine's requests: for every part of every input, one per sequence."""
    watch, caller, weight = watcher(), current_caller(), current_weight()
    for read in inputs:
        for index, part in enumerate(read.parts):
            source = part.array
            loop = longest_loop(part.ids) if isinstance(part, SourceText) and read.passage is not None else 0
            for each in sequences(read, part, generation):
                limited = each if read.passage is None else _limited(each, source.shape[-1], loop)
                yield EngineRequest(
                    source=source,
                    generation=_controlled(limited, generation, part) if isinstance(part, SourceText) else limited,
                    attention=bool(call.attention.kinds) or read.needs_alignment(index),
                    deadline=call.deadline,
                    bulk=call.is_bulk,
                    watch=watch,
                    caller=caller,
                    is_listed=is_listed,
                    weight=weight,
                )


def sequences(read: Input, part: Part, generation: Generation) -> list[Generation]:
    """Returns the decodings of a part: one; with sampling one per returned sequence, each with its seed; or one for
    each alternative.
    """
    sampling = generation.sampling
    if isinstance(part, SourceText) and part.num_alternatives:
        single = generation if generation.num_return_sequences == 1 else replace(generation, num_return_sequences=1)
        return [replace(single, alternative=rank) for rank in range(part.num_alternatives)]
    count = 1 if len(read.parts) > 1 and read.passage is None else generation.num_return_sequences
    if sampling is None:
        has_count = generation.num_return_sequences == count
        return [generation if has_count else replace(generation, num_return_sequences=count)]
    seeds = [(sampling.seed + number) % 2**63 for number in range(count)]
    return [replace(generation, num_return_sequences=1, sampling=replace(sampling, seed=seed)) for seed in seeds]


def _controlled(limited: Generation, generation: Generation, part: SourceText) -> Generation:
    """Returns a generation with the terms and the prefix of a part, for which a limited length has room."""
    if part.terms is None and not part.prefix:
        return limited
    extra = len(part.prefix) + (0 if part.terms is None else part.terms.num_tokens)
    return replace(
        limited,
        max_new_tokens=min(limited.max_new_tokens + extra, generation.max_new_tokens),
        terms=part.terms,
        prefix=part.prefix,
        start_bias=part.prefix_bias,
    )


@lru_cache(1024)
def _limited(generation: Generation, num_source_tokens: int, source_loop: int) -> Generation:
    """Returns a generation whose output is at most a multiple of its source, if its length follows the source, and that
    ends where it loops.

    Args:
        source_loop: how long the source itself does.
    """
    if not generation.follows_source_length:
        return generation
    limit = max(MIN_LENGTH_LIMIT, MAX_LENGTH_FACTOR * num_source_tokens, generation.min_new_tokens)
    is_free = generation.sampling is None and generation.min_new_tokens == 0
    max_loop = int(MAX_LOOP_FACTOR * source_loop) + MIN_LOOP_LIMIT if is_free else 0
    return replace(generation, max_new_tokens=min(limit, generation.max_new_tokens), max_loop=max_loop)
