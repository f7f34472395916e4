"""What can go wrong with a request, in the domain's words; `convert/errors.py` turns it into gRPC statuses.

ServiceError
├── InvalidInput        bad fields, each with its limit
├── ModelNotFound       no such model, language or style
├── Unsupported         the model or this version cannot do what is asked
├── Overloaded          the queue is full; come back later
│   ├── DeadlineUnreachable  the call could not be done by its deadline, with what waits before it
│   ├── OutOfMemory     there was no memory for it
│   └── QuotaExceeded   the caller's own limit is reached
├── Unauthenticated     a token is needed, and missing or unknown
├── Forbidden           the token does not allow this call
├── NotReady            the model is loading or failed to load
├── LoadFailed          a model was to be loaded, and cannot be
├── ModelLimit          a model was to be loaded, and there is no room for it
├── Draining            the server is going away
└── DeadlinePassed      the caller's time is up
"""

from dataclasses import dataclass


class ServiceError(Exception):
    """Base of all errors that a caller may see; `str(error)` is written for the caller.

    Attributes:
        reason: UPPER_SNAKE, for `google.rpc.ErrorInfo` and for the metric that counts refusals.
    """

    reason = "INTERNAL"


def all_reasons(kind: type[ServiceError] = ServiceError) -> list[str]:
    """The reasons of a kind of error and of those below it."""
    return list(dict.fromkeys([kind.reason, *(r for below in kind.__subclasses__() for r in all_reasons(below))]))


@dataclass(frozen=True)
class FieldViolation:
    """One bad field: its path in the request ("generation.num_beams") and what is wrong with its value."""

    field: str
    description: str


class InvalidInput(ServiceError):
    """One or several bad fields; every violation is listed."""

    reason = "INVALID_INPUT"

    def __init__(self, violations: list[FieldViolation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations

    @classmethod
    def of(cls, field: str, description: str) -> "InvalidInput":
        return cls([FieldViolation(field, description)])


class ModelNotFound(ServiceError):
    reason = "MODEL_NOT_FOUND"


class Unsupported(ServiceError):
    reason = "UNSUPPORTED"


class Overloaded(ServiceError):
    """The queue is full; `retry_after_s` is an estimate of when there will be room."""

    reason = "OVERLOADED"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DeadlineUnreachable(Overloaded):
    """The request is refused at once, since its deadline would pass before it is done."""

    reason = "DEADLINE_UNREACHABLE"


class OutOfMemory(Overloaded):
    """Memory ran out while the request was read or run; the server goes on."""

    reason = "OUT_OF_MEMORY"

    def __init__(self) -> None:
        super().__init__("there is not enough memory for this request now", retry_after_s=1.0)


# What those say of memory, or of a thread's, who raise no MemoryError: ONNX Runtime, the standard library, protobuf.
_OUT_OF_MEMORY = (
    "bad allocation",
    "bad_alloc",
    "Failed to allocate memory",
    "can't start new thread",
    "Arena alloc failed",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, of whatever type, means that there was no memory."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY)


class QuotaExceeded(Overloaded):
    """The caller's own limit is reached."""

    reason = "QUOTA_EXCEEDED"


class Unauthenticated(ServiceError):
    reason = "UNAUTHENTICATED"


class Forbidden(ServiceError):
    reason = "FORBIDDEN"


class NotReady(ServiceError):
    reason = "NOT_READY"


class LoadFailed(ServiceError):
    """A bundle is damaged, does not match its manifest, or cannot make a few tokens; every reason is listed."""

    reason = "LOAD_FAILED"

    def __init__(self, model: str, reasons: tuple[str, ...]) -> None:
        super().__init__(f"model {model!r} is refused: " + "; ".join(reasons))
        self.model = model
        self.reasons = reasons


class ModelLimit(ServiceError):
    """The server holds as many models, or as much of them, as it may."""

    reason = "MODEL_LIMIT"


class Draining(ServiceError):
    reason = "DRAINING"


class DeadlinePassed(ServiceError):
    reason = "DEADLINE_PASSED"
