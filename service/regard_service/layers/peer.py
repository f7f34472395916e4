"""Where nobody has a token, a caller is who is at the other end of a connection."""

from typing import Any

from regard_service.guard.caller import set_caller
from regard_service.layers.layer import Answer, Context, Layer, Method


class PeerLayer(Layer):
    """Tells callers apart by their connections. With tokens, the guard does so by their names."""

    def around(self, method: Method, answer: Answer) -> Answer:
        async def known(request: Any, context: Context) -> Any:
            set_caller(context.peer())
            return await answer(request, context)

        return known
