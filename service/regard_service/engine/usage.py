"""What the batches of each model take up, for whoever asks now and then: nothing here is counted while they run."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from regard_service.engine.core.batch import RunningBatch

Buffer = Literal["cross", "self", "maps"]


@dataclass
class Usage:
    """What a model's batches take up.

    Attributes:
        num_slots: of the batches that have requests, used or free.
        num_bytes: of all batches, idle ones too, by buffer: "cross" is what encode made of the sources (the cross KV
            cache), "self" what steps carry on (the self KV cache), "maps" the attention of requests that want it. Sizes
            are those asked for; the system hands out memory when it is first written.
    """

    num_slots: int = 0
    num_bytes: dict[Buffer, int] = field(default_factory=lambda: {"cross": 0, "self": 0, "maps": 0})


def usage_of(batches: Iterable[RunningBatch]) -> dict[str, Usage]:
    """The usage of each model, by name; of both versions together while one takes over from the other."""
    usage: dict[str, Usage] = {}
    for batch in batches:
        of_model = usage.setdefault(batch.runner.manifest.name, Usage())
        if batch.num_live:
            of_model.num_slots += batch.shape.max_slots
        of_model.num_bytes["cross"] += batch.memory_bytes
        of_model.num_bytes["self"] += batch.state_bytes
        of_model.num_bytes["maps"] += batch.map_bytes
    return usage
