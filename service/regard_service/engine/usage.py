"""Slots and buffers of each model's batches, computed when metrics are read and not while batches run."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from regard_service.engine.core.rows import Rows

Buffer = Literal["cross", "self", "maps"]


@dataclass
class Usage:
    """Slots and buffers of a model's batches.

    Attributes:
        num_slots: of the batches that have requests, used or free.
        num_bytes: of all batches, idle ones too, by buffer: "cross" holds encoded sources (the cross KV
            cache), "self" what steps carry on (the self KV cache), "maps" kept attention. These are sizes of buffers;
            the system hands out memory when it is first written.
    """

    num_slots: int = 0
    num_bytes: dict[Buffer, int] = field(default_factory=lambda: {"cross": 0, "self": 0, "maps": 0})


def usage_of(batches: Iterable[Rows]) -> dict[str, Usage]:
    """The usage of each model, by name; of both versions together while one takes over from the other."""
    usage: dict[str, Usage] = {}
    for batch in batches:
        of_model = usage.setdefault(batch.runner.manifest.name, Usage())
        if batch.num_live:
            of_model.num_slots += batch.shape.max_slots
        of_model.num_bytes["cross"] += batch.encoded_bytes
        of_model.num_bytes["self"] += batch.state_bytes
        of_model.num_bytes["maps"] += batch.map_bytes
    return usage
