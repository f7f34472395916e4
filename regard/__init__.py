"""The client of Regard: translate, summarize and caption with attention models, and see what they regard.

with regard.Client("localhost:50051") as client:
    result = client.translate("Where is the library?", to="de", attention=True)
    print(result.text)
    print(result.alignment.values)  # [target, source], each row sums to 1
"""

from regard.aio import AsyncClient
from regard.client import Client
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
from regard.results import (
    AttentionMap,
    Event,
    Finished,
    Hypothesis,
    ImageGrid,
    Link,
    Model,
    Result,
    Span,
    Started,
    Timings,
    Token,
    TokenMade,
    Word,
)

__all__ = [
    "AccessDenied",
    "AsyncClient",
    "AttentionMap",
    "BadResponse",
    "CallError",
    "Cancelled",
    "Client",
    "DeadlineExceeded",
    "Event",
    "FailedPrecondition",
    "FieldViolation",
    "Finished",
    "Hypothesis",
    "ImageGrid",
    "InvalidArgument",
    "Link",
    "MissingExtra",
    "Model",
    "NotFound",
    "Overloaded",
    "RegardError",
    "Result",
    "ServerFault",
    "Span",
    "Started",
    "Timings",
    "Token",
    "TokenMade",
    "Unavailable",
    "Unimplemented",
    "Word",
]
