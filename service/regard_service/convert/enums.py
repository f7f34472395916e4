"""Translates the API's enums to the domain's names and back."""

from __future__ import annotations  # ValueType exists for type checkers only

from collections.abc import Mapping
from typing import Generic, TypeVar

from regard.v1 import regard_pb2 as pb
from regard_service.bundle import Task
from regard_service.domain.calls import AlignmentMethod, AttentionKind, Granularity, MapEncoding, Truncation, Weighting
from regard_service.domain.models import ModelState
from regard_service.generation import EarlyStopping, FinishReason

Number = TypeVar("Number", bound=int)
Name = TypeVar("Name", bound=str)


class EnumTable(Generic[Number, Name]):
    """One enum: numbers on the wire, names in the domain. 0, "unspecified", has no name."""

    def __init__(self, type_name: str, names: Mapping[Number, Name]) -> None:
        self._type_name = type_name
        self._names = {int(number): name for number, name in names.items()}
        self._numbers = {name: number for number, name in names.items()}

    def name(self, number: int) -> Name | None:
        """Returns the domain's name; None for unspecified. Raises ValueError for a number outside of the API."""
        if number == 0:
            return None
        if number not in self._names:
            raise ValueError(f"{number} is not a value of {self._type_name}")
        return self._names[number]

    def number(self, name: Name) -> Number:
        """Returns the number on the wire."""
        return self._numbers[name]


EARLY_STOPPING: EnumTable[pb.EarlyStopping.ValueType, EarlyStopping] = EnumTable(
    "EarlyStopping",
    {pb.EARLY_STOPPING_FIRST: "first", pb.EARLY_STOPPING_HEURISTIC: "heuristic", pb.EARLY_STOPPING_NEVER: "never"},
)
TRUNCATION: EnumTable[pb.Truncation.ValueType, Truncation] = EnumTable(
    "Truncation",
    {pb.TRUNCATION_REJECT: "reject", pb.TRUNCATION_TRUNCATE: "truncate", pb.TRUNCATION_SPLIT_AND_JOIN: "split"},
)
PRIORITY: EnumTable[pb.Priority.ValueType, str] = EnumTable(
    "Priority", {pb.PRIORITY_INTERACTIVE: "interactive", pb.PRIORITY_BULK: "bulk"}
)
ATTENTION_KIND: EnumTable[pb.AttentionKind.ValueType, AttentionKind] = EnumTable(
    "AttentionKind",
    {
        pb.ATTENTION_KIND_CROSS: "cross",
        pb.ATTENTION_KIND_ALIGNMENT: "alignment",
        pb.ATTENTION_KIND_ENCODER_SELF: "encoder_self",
        pb.ATTENTION_KIND_DECODER_SELF: "decoder_self",
        pb.ATTENTION_KIND_ROLLOUT: "rollout",
    },
)
GRANULARITY: EnumTable[pb.Granularity.ValueType, Granularity] = EnumTable(
    "Granularity", {pb.GRANULARITY_TOKEN: "token", pb.GRANULARITY_WORD: "word"}
)
ENCODING: EnumTable[pb.Encoding.ValueType, MapEncoding] = EnumTable(
    "Encoding",
    {pb.ENCODING_FLOAT32: "float32", pb.ENCODING_FLOAT16: "float16", pb.ENCODING_UINT8: "uint8"},
)
ALIGNMENT_METHOD: EnumTable[pb.AlignmentMethod.ValueType, AlignmentMethod] = EnumTable(
    "AlignmentMethod", {pb.ALIGNMENT_METHOD_PLAIN: "plain", pb.ALIGNMENT_METHOD_SHIFTED: "shifted"}
)
WEIGHTING: EnumTable[pb.Weighting.ValueType, Weighting] = EnumTable(
    "Weighting", {pb.WEIGHTING_ATTENTION: "attention", pb.WEIGHTING_VALUE_NORM: "value_norm"}
)
FINISH_REASON: EnumTable[pb.FinishReason.ValueType, FinishReason] = EnumTable(
    "FinishReason", {pb.FINISH_REASON_END: "end", pb.FINISH_REASON_LENGTH: "length"}
)
TASK: EnumTable[pb.Task.ValueType, Task] = EnumTable(
    "Task",
    {
        pb.TASK_TRANSLATION: "translation",
        pb.TASK_SUMMARIZATION: "summarization",
        pb.TASK_CAPTIONING: "captioning",
    },
)
MODEL_STATE: EnumTable[pb.ModelState.ValueType, ModelState] = EnumTable(
    "ModelState",
    {
        pb.MODEL_STATE_UNLOADED: "unloaded",
        pb.MODEL_STATE_LOADING: "loading",
        pb.MODEL_STATE_READY: "ready",
        pb.MODEL_STATE_DRAINING: "draining",
        pb.MODEL_STATE_FAILED: "failed",
    },
)
