"""The client of Regard: translates, summarizes and captions with attention models, and shows what they attend to.

with regard.Client("localhost:50051") as client:
    result = client.translate("Where is the library?", to="de", attention=True)
    print(result.text)
    print(result.alignment.values)  # [target, source], each row sums to 1

`regard.local()` is such a client with a server of its own, inside this process.
"""

from regard.calls.aio import AsyncClient
from regard.calls.client import Client
from regard.calls.mapping import Outcome
from regard.calls.results import ClassifyResult, Event, Finished, Result
from regard.embedded.client import LocalClient, local
from regard.errors import (
    AccessDenied,
    BadResponse,
    CallError,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    InvalidArgument,
    MissingExtra,
    NotFound,
    Overloaded,
    RegardError,
    ServerFault,
    Unavailable,
    Unimplemented,
)
from regard.saved import ResultWriter, read_results, write_results
from regard.values.detections import Box, Detection, DetectResult
from regard.values.documents import DocumentProgress, DocumentStarted, DocumentWarning, TranslatedDocument
from regard.values.encodings import (
    AnswerResult,
    EncodeResult,
    Erasure,
    Explanation,
    FilledMask,
    FillMaskResult,
    LabelScore,
    PieceScore,
    ReadInput,
    TokenLabels,
)
from regard.values.events import Started, TokenMade
from regard.values.glossaries import Glossary, Term
from regard.values.maps import AttentionMap
from regard.values.model import Model
from regard.values.outputs import Hypothesis, ImageGrid, Timings
from regard.values.units import Link, OutputWarning, Segment, Span, Token, Word

__all__ = [
    "AccessDenied",
    "AnswerResult",
    "AsyncClient",
    "AttentionMap",
    "BadResponse",
    "Box",
    "CallError",
    "Cancelled",
    "ClassifyResult",
    "Client",
    "DeadlineExceeded",
    "DetectResult",
    "Detection",
    "DocumentProgress",
    "DocumentStarted",
    "DocumentWarning",
    "EncodeResult",
    "Erasure",
    "Event",
    "Explanation",
    "FailedPrecondition",
    "FieldViolation",
    "FillMaskResult",
    "FilledMask",
    "Finished",
    "Glossary",
    "Hypothesis",
    "ImageGrid",
    "InvalidArgument",
    "LabelScore",
    "Link",
    "LocalClient",
    "MissingExtra",
    "Model",
    "NotFound",
    "Outcome",
    "OutputWarning",
    "Overloaded",
    "PieceScore",
    "ReadInput",
    "RegardError",
    "Result",
    "ResultWriter",
    "Segment",
    "ServerFault",
    "Span",
    "Started",
    "Term",
    "Timings",
    "Token",
    "TokenLabels",
    "TokenMade",
    "TranslatedDocument",
    "Unavailable",
    "Unimplemented",
    "Word",
    "local",
    "read_results",
    "write_results",
]
