"""Admits calls by their caller's token."""

from collections.abc import Mapping
from typing import Any

from regard_service.auth.access_control import AccessControl
from regard_service.auth.caller import set_caller
from regard_service.auth.tokens import Scope
from regard_service.observability import logs
from regard_service.rpc.layers.layer import Behavior, Context, Layer, Method

AUTHORIZATION = "authorization"


class AuthLayer(Layer):
    """Checks the token of every call that needs a scope.

    Args:
        scopes: by service, or by "service/method" where a method needs another one. Methods without a scope, such as
            health and reflection, are open to all.
    """

    def __init__(self, access_control: AccessControl, scopes: Mapping[str, Scope]) -> None:
        self._access_control = access_control
        self._scopes = scopes

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Admits each call of a method that needs a scope."""
        scope = self._scopes.get(f"{method.service}/{method.name}", self._scopes.get(method.service))
        if scope is None:
            return behavior

        async def admitted(request: Any, context: Context) -> Any:
            with self._access_control.admit(_authorization(context), scope) as caller:
                set_caller(caller.name, caller.weight)
                logs.note(caller=caller.name)
                return await behavior(request, context)

        return admitted


def _authorization(context: Context) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == AUTHORIZATION and isinstance(value, str):
            return value
    return None
