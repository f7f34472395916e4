"""The API's enums by their short names ("alignment" for ATTENTION_KIND_ALIGNMENT), for the client and the server."""

from __future__ import annotations  # the stubs have the enums' ValueType for type checkers only

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Literal, TypeVar

from regard.names import (
    AlignmentMethod,
    AttentionKind,
    EarlyStopping,
    Evidence,
    FinishReason,
    Format,
    Granularity,
    MapEncoding,
    ModelState,
    Pooling,
    Priority,
    Risk,
    RiskKind,
    Symmetrization,
    Task,
    Truncation,
    Unit,
    WarningReason,
    Weighting,
)
from regard.v1 import regard_pb2 as pb

Number = TypeVar("Number", bound=int)
Name = TypeVar("Name", bound=str)


class EnumTable(Generic[Number, Name]):
    """One enum: its numbers on the wire and their short names. 0, "unspecified", has no name."""

    def __init__(self, type_name: str, names: Mapping[Number, Name]) -> None:
        self._type_name = type_name
        self._names = {int(number): name for number, name in names.items()}
        self._numbers = {name: number for number, name in names.items()}

    @property
    def names(self) -> Iterable[Name]:
        """The short names, in the order of their numbers."""
        return self._numbers.keys()

    def name(self, number: int) -> Name | None:
        """The short name; None for 0. Raises ValueError for a number that the API does not define."""
        if number == 0:
            return None
        if number not in self._names:
            raise ValueError(f"{number} is not a value of {self._type_name}")
        return self._names[number]

    def name_if_known(self, number: int) -> Name | Literal[""]:
        """The short name; "" for 0, and for a number of a later version of the API."""
        return self._names.get(number, "")

    def number(self, name: Name) -> Number:
        """The number on the wire. Raises KeyError for a name that the enum does not have."""
        return self._numbers[name]


ALIGNMENT_METHOD: EnumTable[pb.AlignmentMethod.ValueType, AlignmentMethod] = EnumTable(
    "AlignmentMethod", {pb.ALIGNMENT_METHOD_PLAIN: "plain", pb.ALIGNMENT_METHOD_SHIFTED: "shifted"}
)
ATTENTION_KIND: EnumTable[pb.AttentionKind.ValueType, AttentionKind] = EnumTable(
    "AttentionKind",
    {
        pb.ATTENTION_KIND_CROSS: "cross",
        pb.ATTENTION_KIND_ALIGNMENT: "alignment",
        pb.ATTENTION_KIND_ENCODER_SELF: "encoder_self",
        pb.ATTENTION_KIND_DECODER_SELF: "decoder_self",
        pb.ATTENTION_KIND_ROLLOUT: "rollout",
        pb.ATTENTION_KIND_CHANNEL: "channel",
        pb.ATTENTION_KIND_SPATIAL: "spatial",
    },
)
EARLY_STOPPING: EnumTable[pb.EarlyStopping.ValueType, EarlyStopping] = EnumTable(
    "EarlyStopping",
    {pb.EARLY_STOPPING_FIRST: "first", pb.EARLY_STOPPING_HEURISTIC: "heuristic", pb.EARLY_STOPPING_NEVER: "never"},
)
ENCODING: EnumTable[pb.Encoding.ValueType, MapEncoding] = EnumTable(
    "Encoding",
    {pb.ENCODING_FLOAT32: "float32", pb.ENCODING_FLOAT16: "float16", pb.ENCODING_UINT8: "uint8"},
)
FINISH_REASON: EnumTable[pb.FinishReason.ValueType, FinishReason] = EnumTable(
    "FinishReason", {pb.FINISH_REASON_END: "end", pb.FINISH_REASON_LENGTH: "length"}
)
FORMAT: EnumTable[pb.Format.ValueType, Format] = EnumTable(
    "Format", {pb.FORMAT_PLAIN: "plain", pb.FORMAT_HTML: "html", pb.FORMAT_XML: "xml"}
)
GRANULARITY: EnumTable[pb.Granularity.ValueType, Granularity] = EnumTable(
    "Granularity", {pb.GRANULARITY_TOKEN: "token", pb.GRANULARITY_WORD: "word"}
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
EVIDENCE: EnumTable[pb.Evidence.ValueType, Evidence] = EnumTable(
    "Evidence",
    {
        pb.EVIDENCE_ROLLOUT: "rollout",
        pb.EVIDENCE_VALUE_NORM: "value_norm",
        pb.EVIDENCE_CONTRIBUTION: "contribution",
        pb.EVIDENCE_OCCLUSION: "occlusion",
        pb.EVIDENCE_RANDOM: "random",
        pb.EVIDENCE_ALIGNMENT: "alignment",
    },
)
POOLING: EnumTable[pb.Pooling.ValueType, Pooling] = EnumTable(
    "Pooling", {pb.POOLING_MEAN: "mean", pb.POOLING_CLASS: "class", pb.POOLING_MAX: "max"}
)
PRIORITY: EnumTable[pb.Priority.ValueType, Priority] = EnumTable(
    "Priority", {pb.PRIORITY_INTERACTIVE: "interactive", pb.PRIORITY_BULK: "bulk"}
)
RISK: EnumTable[pb.Risk.ValueType, Risk] = EnumTable("Risk", {pb.RISK_LOW: "low", pb.RISK_HIGH: "high"})
RISK_KIND: EnumTable[pb.RiskKind.ValueType, RiskKind] = EnumTable(
    "RiskKind",
    {
        pb.RISK_KIND_UNLIKELY: "unlikely",
        pb.RISK_KIND_LOOPING: "looping",
        pb.RISK_KIND_TOO_SHORT: "too_short",
        pb.RISK_KIND_TOO_LONG: "too_long",
        pb.RISK_KIND_COPIED: "copied",
        pb.RISK_KIND_SOURCE_UNFAMILIAR: "source_unfamiliar",
        pb.RISK_KIND_SOURCE_NOT_COVERED: "source_not_covered",
    },
)
SYMMETRIZATION: EnumTable[pb.Symmetrization.ValueType, Symmetrization] = EnumTable(
    "Symmetrization",
    {
        pb.SYMMETRIZATION_GROW_DIAG_FINAL_AND: "grow_diag_final_and",
        pb.SYMMETRIZATION_GROW_DIAG: "grow_diag",
        pb.SYMMETRIZATION_INTERSECTION: "intersection",
    },
)
TASK: EnumTable[pb.Task.ValueType, Task] = EnumTable(
    "Task",
    {
        pb.TASK_TRANSLATION: "translation",
        pb.TASK_SUMMARIZATION: "summarization",
        pb.TASK_CAPTIONING: "captioning",
        pb.TASK_ENCODING: "encoding",
        pb.TASK_CLASSIFICATION: "classification",
        pb.TASK_MASK_FILLING: "mask_filling",
        pb.TASK_DETECTION: "detection",
        pb.TASK_ANSWERING: "answering",
    },
)
TRUNCATION: EnumTable[pb.Truncation.ValueType, Truncation] = EnumTable(
    "Truncation",
    {
        pb.TRUNCATION_REJECT: "reject",
        pb.TRUNCATION_TRUNCATE: "truncate",
        pb.TRUNCATION_SPLIT_AND_JOIN: "split_and_join",
    },
)
UNIT: EnumTable[pb.Unit.ValueType, Unit] = EnumTable(
    "Unit", {pb.UNIT_SENTENCE: "sentence", pb.UNIT_PASSAGE: "passage", pb.UNIT_WHOLE: "whole"}
)
WARNING_REASON: EnumTable[pb.WarningReason.ValueType, WarningReason] = EnumTable(
    "WarningReason",
    {
        pb.WARNING_REASON_OUTPUT_CUT: "output_cut",
        pb.WARNING_REASON_OUTPUT_EMPTY: "output_empty",
        pb.WARNING_REASON_REPETITION: "repetition",
        pb.WARNING_REASON_SOURCE_COPIED: "source_copied",
        pb.WARNING_REASON_OUTPUT_SHORT: "output_short",
        pb.WARNING_REASON_OUTPUT_LONG: "output_long",
        pb.WARNING_REASON_SOURCE_TRUNCATED: "source_truncated",
        pb.WARNING_REASON_SENTENCE_CUT: "sentence_cut",
        pb.WARNING_REASON_LANGUAGE_UNKNOWN: "language_unknown",
        pb.WARNING_REASON_TERM_LEFT_OUT: "term_left_out",
        pb.WARNING_REASON_DOCUMENT: "document",
        pb.WARNING_REASON_OTHER_LANGUAGE: "other_language",
    },
)
WEIGHTING: EnumTable[pb.Weighting.ValueType, Weighting] = EnumTable(
    "Weighting",
    {
        pb.WEIGHTING_ATTENTION: "attention",
        pb.WEIGHTING_VALUE_NORM: "value_norm",
        pb.WEIGHTING_CONTRIBUTION: "contribution",
    },
)

# Every enum of the API by its name in the .proto.
TABLES: Mapping[str, EnumTable[Any, Any]] = {
    "AlignmentMethod": ALIGNMENT_METHOD,
    "AttentionKind": ATTENTION_KIND,
    "EarlyStopping": EARLY_STOPPING,
    "Encoding": ENCODING,
    "FinishReason": FINISH_REASON,
    "Format": FORMAT,
    "Evidence": EVIDENCE,
    "Granularity": GRANULARITY,
    "ModelState": MODEL_STATE,
    "Pooling": POOLING,
    "Priority": PRIORITY,
    "Risk": RISK,
    "RiskKind": RISK_KIND,
    "Symmetrization": SYMMETRIZATION,
    "Task": TASK,
    "Truncation": TRUNCATION,
    "Unit": UNIT,
    "WarningReason": WARNING_REASON,
    "Weighting": WEIGHTING,
}
