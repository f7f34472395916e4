"""The caller of the current call, by which the engine's queue shares its turns."""

from contextvars import ContextVar

_caller: ContextVar[str] = ContextVar("caller", default="")
_weight: ContextVar[float] = ContextVar("weight", default=1.0)


def set_caller(caller: str, weight: float = 1.0) -> None:
    """Sets the caller of the current task's call. Args: weight: of the caller's turns."""
    _caller.set(caller)
    if weight != 1.0:
        _weight.set(weight)


def current_weight() -> float:
    """Returns the weight of the caller's turns; 1 is usual."""
    return _weight.get()


def current_caller() -> str:
    """Returns the name of the caller's token, or else the connection's address; "" outside of calls."""
    return _caller.get()
