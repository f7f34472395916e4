"""Whose the current call is: callers take turns in the queue."""

from contextvars import ContextVar

_caller: ContextVar[str] = ContextVar("caller", default="")


def set_caller(caller: str) -> None:
    """Makes this the caller of the current task's call."""
    _caller.set(caller)


def current_caller() -> str:
    """A token's name, or else the connection's address; "" outside of calls."""
    return _caller.get()
