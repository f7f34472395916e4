"""Errors as JSON objects, and back."""

from typing import Any

from regard.errors import CallError, FieldViolation
from regard.errors.statuses import error_class


def error_object(error: Exception) -> dict[str, object]:
    """An error as a JSON object."""
    if isinstance(error, CallError):
        return error.to_dict()
    return {"code": "INTERNAL", "reason": type(error).__name__, "message": str(error), "violations": []}


def read_error(value: dict[str, Any]) -> CallError:
    """The error that `error_object` wrote; one that is not of a call becomes a ServerFault of the same words."""
    violations = [FieldViolation(each["field"], each["description"]) for each in value.get("violations", ())]
    code = str(value.get("code", ""))
    return error_class(code)(code, str(value.get("message", "")), str(value.get("reason", "")), violations)
