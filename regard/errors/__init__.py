"""What a call can raise; `regard.errors.statuses` translates gRPC statuses into these.

RegardError
├── MissingExtra         a part of Regard is not installed; the message names the command that installs it
├── BadResponse          the server's answer breaks the API's own rules
└── CallError            the server, or the way to it, refused the call
    ├── InvalidArgument      bad fields; `violations` lists every one
    ├── NotFound             no such model, language or style
    ├── FailedPrecondition   a bundle that cannot be loaded
    ├── Overloaded           the queue or a quota is full; `retry_after_s` says when to try again
    ├── Unavailable          no server, or one that is loading or shutting down
    ├── DeadlineExceeded     the call's time is up
    ├── Cancelled            the call was cancelled
    ├── AccessDenied         a token is missing, wrong, or does not allow the call
    ├── Unimplemented        the server does not offer the call
    └── ServerFault          anything else
"""

from collections.abc import Sequence
from dataclasses import dataclass

# In a checkout pip finds the distributions that an extra names only if it gets their folders.
_FOLDERS = {
    "serve": ("./service", "./models/zoo"),
    "gpu": ("./service", "./models/zoo"),
    "otel": ("./service",),
    "export": ("./export", "./models", "./service"),
    "export-torch": ("./export", "./models", "./service"),
    "train": ("./models",),
}


class RegardError(Exception):
    """Base of all errors that Regard's client raises."""


class MissingExtra(RegardError):
    """A part of Regard that is not installed.

    Attributes:
        extra: the extra that installs it.
    """

    def __init__(self, purpose: str, extra: str, missing: str | None = None, alternative: str = "") -> None:
        """Makes an error whose message names the command that installs the extra.

        Args:
            purpose: what needs the extra, such as "serving".
            extra: its name in pyproject.toml.
            missing: the module that is not installed; None if that is not known.
            alternative: how to do without the extra; "" if there is no way.
        """
        lacking = f" (there is no module {missing})" if missing else ""
        from_checkout = " ".join(("pip install", f"'.[{extra}]'", *_FOLDERS.get(extra, ())))
        message = f"{purpose} needs the extra '{extra}'{lacking}: pip install 'regard[{extra}]', or in a checkout "
        super().__init__(message + from_checkout + (f"; {alternative}" if alternative else ""))
        self.extra = extra


class BadResponse(RegardError):
    """An answer that breaks the API's own rules, such as a map with too few bytes for its shape."""


@dataclass(frozen=True)
class FieldViolation:
    """One bad field of a request: its path ("generation.num_beams", "texts[3]") and what is wrong with it."""

    field: str
    description: str


class CallError(RegardError):
    """A call that failed.

    Attributes:
        code: name of the gRPC status, such as "INVALID_ARGUMENT".
        message: the server's message, or gRPC's if no server answered.
        reason: the server's own UPPER_SNAKE reason; "" if it gives none.
        violations: every bad field.
        retry_after_s: after how many seconds the server asks the caller to try again; None if it does not say.
    """

    def __init__(
        self,
        code: str,
        message: str,
        reason: str = "",
        violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message or code)
        self.code = code
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s

    def to_dict(self) -> dict[str, object]:
        """The error as a JSON object."""
        violations = [{"field": v.field, "description": v.description} for v in self.violations]
        return {"code": self.code, "reason": self.reason, "message": self.message, "violations": violations}


class InvalidArgument(CallError):
    """Bad fields; `violations` lists every one."""

    @classmethod
    def of(cls, violations: Sequence[FieldViolation]) -> "InvalidArgument":
        """The error for violations that the client finds before it sends the request."""
        message = "; ".join(f"{v.field}: {v.description}" for v in violations)
        return cls("INVALID_ARGUMENT", message, "INVALID_INPUT", violations)


class NotFound(CallError):
    """No such model, or none for the task, language or style."""


class FailedPrecondition(CallError):
    """A bundle that is damaged, or does not match its manifest."""


class Overloaded(CallError):
    """The queue is full, or the caller's quota is used up."""


class Unavailable(CallError):
    """No server, or one that is loading or shutting down."""


class DeadlineExceeded(CallError):
    """The call's time is up."""


class Cancelled(CallError):
    """The call was cancelled."""


class AccessDenied(CallError):
    """A token is missing, wrong, or does not allow the call."""


class Unimplemented(CallError):
    """The server does not offer the call."""


class ServerFault(CallError):
    """A fault of the server, or of a proxy on the way to it."""
