"""A layer around the calls of a server, and the types of a call."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Codec = Callable[[Any], Any]

Behavior = Callable[[Any, Context], Awaitable[Any]]
"""The implementation of a method: returns the response, or writes a stream's responses to the context and returns
None.
"""

KINDS = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}


@dataclass(frozen=True)
class Method:
    """A method of the API.

    Attributes:
        kind: "unary", "client_stream", "server_stream" or "bidi_stream".
        service: with its package, as in "regard.v1.AttentionService".
    """

    kind: str
    service: str
    name: str

    @classmethod
    def of(cls, service: str, name: str, handler: Handler) -> "Method":
        """Returns the method that a handler implements."""
        return cls(KINDS[handler.request_streaming, handler.response_streaming], service, name)

    @property
    def labels(self) -> tuple[str, str, str]:
        """The metrics' labels: type, service, method."""
        return self.kind, self.service, self.name


class Layer:
    """Wraps the behavior and the codecs of methods.

    Each method is wrapped once, when the server is built: a call costs one coroutine per layer. (gRPC's own
    interceptors look the method up anew for every call, each in its own coroutine.)
    """

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Wraps a method's behavior. The wrapper sees the exception that ends a call."""
        return behavior

    def deserializer(self, method: Method, deserialize: Codec) -> Codec:
        """Wraps what turns a method's request from bytes into a message."""
        return deserialize

    def serializer(self, method: Method, serialize: Codec) -> Codec:
        """Wraps what turns a method's responses into bytes."""
        return serialize
