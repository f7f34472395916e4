"""Identifies callers by their addresses, on servers without tokens."""

from collections.abc import Sequence
from typing import Any

from regard_service.auth.address import Network, caller_of_peer, forwarded_caller
from regard_service.auth.caller import set_caller
from regard_service.rpc.layers.layer import Behavior, Context, Layer, Method

FORWARDED_FOR = "x-forwarded-for"


class PeerLayer(Layer):
    """Sets the caller of each call to its address; all connections of an address are one caller.

    Args:
        trusted_proxies: their X-Forwarded-For counts, nobody else's.
    """

    def __init__(self, trusted_proxies: Sequence[Network] = ()) -> None:
        self._trusted_proxies = trusted_proxies

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Sets the caller of each call."""

        async def identified(request: Any, context: Context) -> Any:
            set_caller(self._caller(context))
            return await behavior(request, context)

        return identified

    def _caller(self, context: Context) -> str:
        if not self._trusted_proxies:
            return caller_of_peer(context.peer())
        metadata = context.invocation_metadata() or ()
        forwarded = [value for key, value in metadata if key == FORWARDED_FOR and isinstance(value, str)]
        return forwarded_caller(context.peer(), forwarded, self._trusted_proxies)
