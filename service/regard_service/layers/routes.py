"""The methods that a server answers, each wrapped in its layers."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import grpc

from regard_service.layers.first_message import FirstMessage
from regard_service.layers.layer import Answer, Codec, Context, Handler, Layer, Method


class Routes(grpc.GenericRpcHandler):
    """Takes servicers as a server does, for `add_..._to_server`, and is what the real server asks for a method.

    Args:
        layers: the outermost first.
        message_timeout_s: how long a call may be open before its message comes.
    """

    def __init__(self, *layers: Layer, message_timeout_s: float) -> None:
        self._layers = layers
        self._handlers: dict[str, Handler] = {}
        self._for_grpc: dict[str, Handler] = {}
        self._first_message = FirstMessage(message_timeout_s)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """What gRPC calls for a path; None lets it answer UNIMPLEMENTED."""
        return self._for_grpc.get(handler_call_details.method)

    def handler(self, path: str) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """The handler of a path "/service/method", wrapped in its layers; None if there is none."""
        return self._handlers.get(path)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """Called by `add_..._to_server`, which registers the same methods by name next."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        for name, handler in method_handlers.items():
            path = f"/{service_name}/{name}"
            self._handlers[path] = self._wrapped(handler, Method.of(service_name, name, handler))
            self._for_grpc[path] = self._first_message.handler(self._handlers[path])

    def _wrapped(self, handler: Handler, method: Method) -> Handler:
        behaviour: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        answer: Answer = _writing(behaviour) if handler.response_streaming else behaviour
        deserialize: Codec = handler.request_deserializer or _unchanged
        serialize: Codec = handler.response_serializer or _unchanged
        for layer in reversed(self._layers):
            answer = layer.around(method, answer)
            deserialize = layer.deserializer(method, deserialize)
            serialize = layer.serializer(method, serialize)
        make: Any = {
            "unary": grpc.unary_unary_rpc_method_handler,
            "client_stream": grpc.stream_unary_rpc_method_handler,
            "server_stream": grpc.unary_stream_rpc_method_handler,
            "bidi_stream": grpc.stream_stream_rpc_method_handler,
        }[method.kind]
        wrapped: Handler = make(answer, deserialize, serialize)
        return wrapped


def _unchanged(message: Any) -> Any:
    """What gRPC takes a missing codec for."""
    return message


def _writing(behaviour: Any) -> Answer:
    """A streaming servicer as something that writes: an async generator's responses, or whatever it writes itself.

    The generator is closed with the call, so that a client that leaves frees its slots at once.
    """

    async def write(request: Any, context: Context) -> None:
        responses = behaviour(request, context)
        if asyncio.iscoroutine(responses):
            await responses
            return
        async with aclosing(responses):
            async for response in responses:
                await context.write(response)

    return write
