"""The errors of calls, independent of any transport. `convert/status.py` writes them as gRPC statuses.

ServiceError
├── InvalidInput        bad fields, each with its limit
│   └── AnswerTooLarge  the answer would exceed the limit of a message or of memory
├── BodyTooLarge        the body of an HTTP request exceeds the limit of a message
├── ModelNotFound       no such model, language or style
├── GlossaryNotFound    no such glossary
├── DocumentNotFound    no such document is kept
├── Unsupported         the model or this version cannot do what the call asks
├── Overloaded          the queue is full; retry later
│   ├── DeadlineUnreachable  the queue is too long for the call's deadline
│   ├── OutOfMemory     the call's memory could not be allocated
│   └── QuotaExceeded   the caller's quota is used up
├── Unauthenticated     a token is missing or unknown
├── Forbidden           the token lacks the call's scope
├── NotReady            the model is loading, or failed to load
├── LoadFailed          the model to load cannot be served
├── ModelLimit          the model to load does not fit beside the others
├── Draining            the server shuts down
└── DeadlinePassed      the call's deadline has passed
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self


class ServiceError(Exception):
    """Base of all errors that callers see; `str(error)` is for the caller.

    Attributes:
        reason: UPPER_SNAKE, in `google.rpc.ErrorInfo` and as a label of the metric that counts refusals.
    """

    reason = "INTERNAL"


def all_reasons(kind: type[ServiceError] = ServiceError) -> list[str]:
    """Returns the reasons of a kind of error and of its subclasses."""
    return list(dict.fromkeys([kind.reason, *(r for subclass in kind.__subclasses__() for r in all_reasons(subclass))]))


@dataclass(frozen=True)
class FieldViolation:
    """One bad field: its path in the request ("generation.num_beams") and the fault of its value."""

    field: str
    description: str


MAX_VIOLATIONS = 32


class InvalidInput(ServiceError):
    """One or more bad fields.

    Args:
        violations: every one that was found.
        num_more: violations besides these.

    Attributes:
        violations: the first `MAX_VIOLATIONS`.
        num_more: how many there are besides.
    """

    reason = "INVALID_INPUT"

    def __init__(self, violations: list[FieldViolation], num_more: int = 0) -> None:
        self.violations = violations[:MAX_VIOLATIONS]
        self.num_more = num_more + len(violations) - len(self.violations)
        listed = [f"{v.field}: {v.description}" for v in self.violations]
        super().__init__("; ".join(listed + [f"and {self.num_more} more violations"] * bool(self.num_more)))

    def renamed(self, rename: Callable[[str], str]) -> Self:
        """Returns the same violations with other paths of their fields."""
        return type(self)([FieldViolation(rename(v.field), v.description) for v in self.violations], self.num_more)

    @classmethod
    def of(cls, field: str, description: str) -> Self:
        """Returns the error of one bad field."""
        return cls([FieldViolation(field, description)])


class AnswerTooLarge(InvalidInput):
    """The answer exceeds a limit: it is expected to, before the work starts, or it does."""

    reason = "ANSWER_TOO_LARGE"


class BodyTooLarge(ServiceError):
    """The body of an HTTP request exceeds the limit of a message, which gRPC itself enforces."""

    reason = "BODY_TOO_LARGE"


class ModelNotFound(ServiceError):
    """There is no such model, or the model lacks a language or style."""

    reason = "MODEL_NOT_FOUND"


class GlossaryNotFound(ServiceError):
    """The server keeps no glossary of that name."""

    reason = "GLOSSARY_NOT_FOUND"


class DocumentNotFound(ServiceError):
    """The server keeps no document of that ID and key."""

    reason = "DOCUMENT_NOT_FOUND"


class Unsupported(ServiceError):
    """The model or this version of the server cannot do what the call asks."""

    reason = "UNSUPPORTED"


class Overloaded(ServiceError):
    """The queue is full; `retry_after_s` estimates when it has room."""

    reason = "OVERLOADED"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineUnreachable(Overloaded):
    """The request is refused at once, because its deadline would pass before it is done."""

    reason = "DEADLINE_UNREACHABLE"


class OutOfMemory(Overloaded):
    """Memory ran out while the request was read or run. The server continues."""

    reason = "OUT_OF_MEMORY"

    def __init__(self) -> None:
        super().__init__("there is not enough memory for this request now", retry_after_s=1.0)


# Messages of ONNX Runtime, the standard library and protobuf, which raise other errors than MemoryError.
_OUT_OF_MEMORY = (
    "bad allocation",
    "bad_alloc",
    "Failed to allocate memory",
    "can't start new thread",
    "Arena alloc failed",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of any type reports a lack of memory."""
    return isinstance(error, MemoryError) or any(message in str(error) for message in _OUT_OF_MEMORY)


class QuotaExceeded(Overloaded):
    """The caller's quota is used up."""

    reason = "QUOTA_EXCEEDED"


class Unauthenticated(ServiceError):
    """A token is missing or unknown."""

    reason = "UNAUTHENTICATED"


class Forbidden(ServiceError):
    """The token lacks the scope of the call."""

    reason = "FORBIDDEN"


class NotReady(ServiceError):
    """The model is loading, or failed to load."""

    reason = "NOT_READY"


class LoadFailed(ServiceError):
    """A bundle is damaged, does not match its manifest, or fails its warm-up; every reason is listed."""

    reason = "LOAD_FAILED"

    def __init__(self, model: str, reasons: tuple[str, ...]) -> None:
        super().__init__(f"model {model!r} is refused: " + "; ".join(reasons))
        self.model = model
        self.reasons = reasons


class ModelLimit(ServiceError):
    """The model does not fit within the limits of models in memory."""

    reason = "MODEL_LIMIT"


class Draining(ServiceError):
    """The server shuts down; the call may be retried elsewhere."""

    reason = "DRAINING"


class DeadlinePassed(ServiceError):
    """The call's deadline has passed."""

    reason = "DEADLINE_PASSED"


def there_are(names: Iterable[str]) -> str:
    """Returns what could have been named in place of what is not there: "there are: a, b", or "there are none"."""
    listed = ", ".join(names)
    return f"there are: {listed}" if listed else "there are none"
