"""The short names of the API's enums, as types ("alignment" for ATTENTION_KIND_ALIGNMENT), for client and server."""

from typing import Literal

AlignmentMethod = Literal["plain", "shifted"]
AttentionKind = Literal["cross", "alignment", "encoder_self", "decoder_self", "rollout", "channel", "spatial"]
EarlyStopping = Literal["first", "heuristic", "never"]
FinishReason = Literal["end", "length"]
Format = Literal["plain", "html", "xml"]
Granularity = Literal["token", "word"]
MapEncoding = Literal["float32", "float16", "uint8"]
ModelState = Literal["unloaded", "loading", "ready", "draining", "failed"]
Evidence = Literal["rollout", "value_norm", "contribution", "occlusion", "random", "alignment"]
Pooling = Literal["mean", "class", "max"]
Priority = Literal["interactive", "bulk"]
Risk = Literal["low", "high"]
RiskKind = Literal["unlikely", "looping", "too_short", "too_long", "copied", "source_unfamiliar", "source_not_covered"]
Symmetrization = Literal["grow_diag_final_and", "grow_diag", "intersection"]
Task = Literal[
    "translation", "summarization", "captioning", "encoding", "classification", "mask_filling", "detection", "answering"
]
Truncation = Literal["reject", "truncate", "split_and_join"]
Unit = Literal["sentence", "passage", "whole"]
WarningReason = Literal[
    "output_cut",
    "output_empty",
    "repetition",
    "source_copied",
    "output_short",
    "output_long",
    "source_truncated",
    "sentence_cut",
    "language_unknown",
    "term_left_out",
    "document",
    "other_language",
]
Weighting = Literal["attention", "value_norm", "contribution"]
