"""The caller of the current call, by which the engine's queue shares its turns."""

from contextvars import ContextVar

_caller: ContextVar[str] = ContextVar("caller", default="")


def set_caller(caller: str) -> None:
    """Sets the caller of the current task's call."""
    _caller.set(caller)


def current_caller() -> str:
    """Returns the name of the caller's token, or else the connection's address; "" outside of calls."""
    return _caller.get()
