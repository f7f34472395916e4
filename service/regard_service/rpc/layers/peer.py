"""Identifies callers by their connections, on servers without tokens."""

from typing import Any

from regard_service.auth.caller import set_caller
from regard_service.rpc.layers.layer import Behavior, Context, Layer, Method


class PeerLayer(Layer):
    """Sets the caller of each call to the address of its connection."""

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Sets the caller of each call."""

        async def identified(request: Any, context: Context) -> Any:
            set_caller(context.peer())
            return await behavior(request, context)

        return identified
