"""Attention maps."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from regard.arrays import Float32Array
from regard.names import AttentionKind, Granularity
from regard.v1 import regard_pb2 as pb
from regard.wire import as_json, encoding, enums


@dataclass(frozen=True)
class AttentionMap:
    """An attention map.

    Attributes:
        kind: what it shows, which fixes its axes: [target, source] for "alignment" and "rollout",
            [layers, heads, target, source] for "cross", [layers, heads, n, n] for self-attention.
        shape: the length of each axis.
        layers, heads: the numbers of the layers and heads on the first two axes; for an alignment, those averaged.
        granularity: whether the last two axes count tokens or words.
        top_k: how many weights of each row were sent, the others being 0 here; 0 if all were.
        alignment_method: "plain" or "shifted" for the alignment, otherwise "".
        weighting: "attention" or "value_norm".
    """

    kind: AttentionKind
    shape: tuple[int, ...]
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    granularity: Granularity
    top_k: int
    alignment_method: str
    weighting: str
    message: pb.AttentionMap = field(repr=False, compare=False)

    def __repr__(self) -> str:
        return f"<AttentionMap {self.kind} {list(self.shape)} of {self.granularity}s>"

    @cached_property
    def values(self) -> Float32Array:
        """The weights: float32 of this map's shape, read-only, decoded at the first access."""
        return encoding.decode(self.message)

    def to_dict(self) -> dict[str, Any]:
        """The map as a JSON object, its weights as nested lists."""
        return as_json.to_dict(self.message)

    @classmethod
    def from_message(cls, message: pb.AttentionMap) -> "AttentionMap":
        """Reads an AttentionMap of the API."""
        return cls(
            kind=cast(AttentionKind, enums.ATTENTION_KIND.name_if_known(message.kind)),
            shape=tuple(message.shape),
            layers=tuple(message.layers),
            heads=tuple(message.heads),
            granularity=cast(Granularity, enums.GRANULARITY.name_if_known(message.granularity)),
            top_k=message.top_k,
            alignment_method=enums.ALIGNMENT_METHOD.name_if_known(message.alignment_method),
            weighting=enums.WEIGHTING.name_if_known(message.weighting),
            message=message,
        )


def described(maps: Iterable[AttentionMap]) -> str:
    """The kinds and shapes of maps, for a repr; "" without maps."""
    listed = ", ".join(f"{each.kind} {list(each.shape)}" for each in maps)
    return f" with {listed}" if listed else ""


def read_maps(messages: Iterable[pb.AttentionMap]) -> tuple[AttentionMap, ...]:
    """Reads the maps of a hypothesis, a source or a token."""
    return tuple(AttentionMap.from_message(message) for message in messages)
