"""Attention maps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np

from regard.arrays import Float32Array
from regard.names import AttentionKind, Granularity
from regard.v1 import regard_pb2 as pb
from regard.wire import as_json, encoding, enums


@dataclass(frozen=True)
class AttentionMap:
    """An attention map.

    Attributes:
        kind: what it shows, which fixes its axes: [target, source] for "alignment" and "rollout",
            [layers, heads, target, source] for "cross", [layers, heads, n, n] for self-attention,
            [layers, channels] for "channel", [layers, source] for "spatial".
        shape: the length of each axis.
        layers, heads: the numbers of the layers and heads on the first two axes; for an alignment, those averaged.
        granularity: whether the last two axes count tokens or words.
        top_k: how many weights of each row were sent, the others being 0 here; 0 if all were.
        alignment_method: "plain" or "shifted" for the alignment, otherwise "".
        weighting: "attention", "value_norm" or "contribution".
        segment: index of the segment of the text that the map belongs to.
        source_offset, target_offset: positions of its first units among those of the whole text.
    """

    kind: AttentionKind
    shape: tuple[int, ...]
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    granularity: Granularity
    top_k: int
    alignment_method: str
    weighting: str
    segment: int
    source_offset: int
    target_offset: int
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
            segment=message.segment,
            source_offset=message.source_offset,
            target_offset=message.target_offset,
            message=message,
        )


def described(maps: Iterable[AttentionMap]) -> str:
    """The kinds and shapes of maps, for a repr; "" without maps."""
    listed = ", ".join(f"{each.kind} {list(each.shape)}" for each in maps)
    return f" with {listed}" if listed else ""


def read_maps(messages: Iterable[pb.AttentionMap]) -> tuple[AttentionMap, ...]:
    """Reads the maps of a hypothesis, a source or a token."""
    return tuple(AttentionMap.from_message(message) for message in messages)


def whole_map(maps: Sequence[AttentionMap]) -> AttentionMap | None:
    """The map of a whole text from those of its segments, all of one kind; None if there are none.

    Weights between different segments are 0.
    """
    if len(maps) < 2:
        return maps[0] if maps else None
    num_rows = max(each.target_offset + each.shape[-2] for each in maps)
    num_columns = max(each.source_offset + each.shape[-1] for each in maps)
    values = np.zeros((*maps[0].shape[:-2], num_rows, num_columns), np.float32)
    for each in maps:
        rows = slice(each.target_offset, each.target_offset + each.shape[-2])
        columns = slice(each.source_offset, each.source_offset + each.shape[-1])
        values[..., rows, columns] = each.values
    message = pb.AttentionMap()
    message.CopyFrom(maps[0].message)
    del message.shape[:]
    message.shape.extend(values.shape)
    message.encoding, message.scale, message.top_k, message.segment = pb.ENCODING_FLOAT32, 0.0, 0, 0
    message.data, message.indices = encoding.encode(values, pb.ENCODING_FLOAT32, 0, 0.0)
    return AttentionMap.from_message(message)
