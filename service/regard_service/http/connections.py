"""What a request knows of its connection, beside what ASGI tells."""

from collections.abc import Callable
from typing import Any, Protocol

from starlette.types import Scope

_KEY = "regard.connection"


class Connection(Protocol):
    """The connection of a request."""

    def watch(self, leave: Callable[[], None] | None) -> None:
        """Calls a function when the client leaves, or at once if it has; None: no longer.

        ASGI reports it to a task that waits for it. One more task for every call would cost more than parsing it.
        """


def state_connection(scope: Scope, connection: Connection) -> None:
    """Writes the connection into a request's scope."""
    scope.setdefault("extensions", {})[_KEY] = connection


def connection_of(scope: Scope) -> Connection | None:
    """Returns the connection of a request; None under another server than `HttpServer`."""
    extensions: Any = scope.get("extensions") or {}
    found: Connection | None = extensions.get(_KEY)
    return found
