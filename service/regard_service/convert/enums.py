"""The API's enums by their names in the domain: the client's names, but for one.

The domain, as bundles do, calls SPLIT_AND_JOIN "split".
"""

from __future__ import annotations  # the stubs have the enums' ValueType for type checkers only

from regard.v1 import regard_pb2 as pb
from regard.wire.enums import (
    ALIGNMENT_METHOD,
    ATTENTION_KIND,
    EARLY_STOPPING,
    ENCODING,
    EVIDENCE,
    FINISH_REASON,
    FORMAT,
    GRANULARITY,
    MODEL_STATE,
    POOLING,
    PRIORITY,
    RISK,
    RISK_KIND,
    SYMMETRIZATION,
    TASK,
    UNIT,
    WARNING_REASON,
    WEIGHTING,
    EnumTable,
    Name,
    Number,
)
from regard_service.domain.calls import Truncation

__all__ = [
    "ALIGNMENT_METHOD",
    "ATTENTION_KIND",
    "EARLY_STOPPING",
    "ENCODING",
    "EVIDENCE",
    "FINISH_REASON",
    "FORMAT",
    "GRANULARITY",
    "MODEL_STATE",
    "POOLING",
    "PRIORITY",
    "RISK",
    "RISK_KIND",
    "SYMMETRIZATION",
    "TASK",
    "TRUNCATION",
    "UNIT",
    "WARNING_REASON",
    "WEIGHTING",
    "EnumTable",
    "Name",
    "Number",
]

TRUNCATION: EnumTable[pb.Truncation.ValueType, Truncation] = EnumTable(
    "Truncation",
    {pb.TRUNCATION_REJECT: "reject", pb.TRUNCATION_TRUNCATE: "truncate", pb.TRUNCATION_SPLIT_AND_JOIN: "split"},
)
