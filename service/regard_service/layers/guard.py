"""Calls are let in by their caller's token."""

from collections.abc import Mapping
from typing import Any

from regard_service.guard.caller import set_caller
from regard_service.guard.guard import Guard
from regard_service.guard.tokens import Scope
from regard_service.layers.layer import Answer, Context, Layer, Method
from regard_service.observability import logs

AUTHORIZATION = "authorization"


class GuardLayer(Layer):
    """Asks the guard before every call that needs a scope.

    Args:
        scopes: by service, or by "service/method" where a method needs another one; what is in neither, such as health
            and reflection, is open to all.
    """

    def __init__(self, guard: Guard, scopes: Mapping[str, Scope]) -> None:
        self._guard = guard
        self._scopes = scopes

    def around(self, method: Method, answer: Answer) -> Answer:
        scope = self._scopes.get(f"{method.service}/{method.name}", self._scopes.get(method.service))
        if scope is None:
            return answer

        async def guarded(request: Any, context: Context) -> Any:
            with self._guard.admit(_authorization(context), scope) as caller:
                set_caller(caller)
                logs.note(caller=caller)
                return await answer(request, context)

        return guarded


def _authorization(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == AUTHORIZATION and isinstance(value, str):
            return value
    return None
