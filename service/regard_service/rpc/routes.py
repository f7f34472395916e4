"""The methods of a server, each wrapped in its layers."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import Message

from regard_service.calls.present import PresentCallers
from regard_service.convert.status import DETAILS_KEY, OUT_OF_MEMORY
from regard_service.errors import AnswerTooLarge
from regard_service.rpc.layers.layer import Behavior, Codec, Context, Handler, Layer, Method
from regard_service.rpc.layers.request_log import PROBE_SERVICES
from regard_service.rpc.messages import MessageLimits, Messages
from regard_service.rpc.packed_messages import unpacked_at_once


class Routes(grpc.GenericRpcHandler):
    """Registers servicers, as a server does for `add_..._to_server`, and looks methods up for gRPC and HTTP.

    Args:
        layers: outermost first. They see a call before its message is read; its request is an `Unread`.
        inner_layers: those that see the message.
        message_limits: of messages on their way.
        max_answer_bytes: the limit of a message that answers; None: no limit.
        present: the callers of the process.
    """

    def __init__(
        self,
        *layers: Layer,
        inner_layers: Sequence[Layer] = (),
        message_limits: MessageLimits,
        max_answer_bytes: int | None = None,
        present: PresentCallers | None = None,
    ) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._outer_layers = layers
        self._inner_layers = tuple(inner_layers)
        self._handlers: dict[str, Handler] = {}
        self._grpc_handlers: dict[str, Handler] = {}
        self._messages = Messages(message_limits, present or PresentCallers())

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Returns gRPC's handler of a path; None makes gRPC answer UNIMPLEMENTED."""
        return self._grpc_handlers.get(handler_call_details.method)

    def handler(self, path: str) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Returns the handler of a path "/service/method", wrapped in its layers; None if there is none."""
        return self._handlers.get(path)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[Any]) -> None:
        """Does nothing: `add_..._to_server` registers the same methods by name next."""

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Wraps a servicer's methods in the layers and registers them."""
        for name, handler in method_handlers.items():
            path = f"/{service_name}/{name}"
            method = Method.of(service_name, name, handler)
            self._handlers[path] = self._wrapped(handler, method)
            serializing = self._wrapped(handler, method, returns_bytes=True)
            self._grpc_handlers[path] = self._messages.grpc_handler(serializing, self._deserializer(handler, method))

    def add_call(self, service: str, name: str, behavior: Behavior) -> None:
        """Adds a unary method that gRPC does not offer, for a transport that reads and writes its messages itself."""
        handler: Handler = grpc.unary_unary_rpc_method_handler(behavior)
        self._handlers[f"/{service}/{name}"] = self._wrapped(handler, Method("unary", service, name))

    def _deserializer(self, handler: Handler, method: Method) -> Codec:
        deserialize: Codec = handler.request_deserializer or _identity
        if handler.request_streaming:
            deserialize = _unpacking(deserialize)
        for layer in reversed((*self._outer_layers, *self._inner_layers)):
            deserialize = layer.deserializer(method, deserialize)
        return deserialize

    def _wrapped(self, handler: Handler, method: Method, returns_bytes: bool = False) -> Handler:
        """Wraps a method in the layers. If it takes one message, the wrapped method takes an `Unread`.

        Args:
            returns_bytes: a single response is serialized within the layers, so that they see the error of a response
                that cannot be serialized. gRPC would do it after them, and report INTERNAL.
        """
        own: Any = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        serialize: Codec = handler.response_serializer or _identity
        for layer in reversed((*self._outer_layers, *self._inner_layers)):
            serialize = layer.serializer(method, serialize)
        behavior: Behavior = own
        if handler.response_streaming:
            behavior = _writing(own, self._max_answer_bytes)
            if not method.service.startswith(PROBE_SERVICES):
                behavior = self._messages.within_call_time(behavior)
        if returns_bytes and not handler.response_streaming:
            behavior, serialize = _serializing(behavior, serialize, self._max_answer_bytes), _identity
        elif not handler.response_streaming:
            behavior = _measured(behavior, self._max_answer_bytes)
        for layer in reversed(self._inner_layers):
            behavior = layer.around(method, behavior)
        if not handler.request_streaming:
            behavior = self._messages.reading(behavior)
        for layer in reversed(self._outer_layers):
            behavior = layer.around(method, behavior)
        behavior = _out_of_memory_guarded(behavior)
        make: Any = {
            "unary": grpc.unary_unary_rpc_method_handler,
            "client_stream": grpc.stream_unary_rpc_method_handler,
            "server_stream": grpc.unary_stream_rpc_method_handler,
            "bidi_stream": grpc.stream_stream_rpc_method_handler,
        }[method.kind]
        deserialize = self._deserializer(handler, method) if handler.request_streaming else None
        wrapped: Handler = make(behavior, deserialize, serialize)
        return wrapped


def _identity(message: Any) -> Any:
    """The codec of methods that declare none."""
    return message


def _unpacking(deserialize: Codec) -> Codec:
    """Unpacks the messages of a stream."""
    return lambda raw: deserialize(unpacked_at_once(raw))


def _serializing(behavior: Behavior, serialize: Codec, max_bytes: int | None) -> Behavior:
    """Makes a method return its response as bytes, no more than `max_bytes`."""

    async def run(request: Any, context: Context) -> Any:
        raw = serialize(await behavior(request, context))
        if max_bytes is not None and len(raw) > max_bytes:
            raise _too_large(len(raw), max_bytes)
        return raw

    return run


def _measured(behavior: Behavior, max_bytes: int | None) -> Behavior:
    """Refuses responses that would exceed the limit as messages of gRPC: a limit holds on both ports."""

    async def run(request: Any, context: Context) -> Any:
        response = await behavior(request, context)
        _check_size(response, max_bytes)
        return response

    return run


def _check_size(response: Any, max_bytes: int | None) -> None:
    if max_bytes is not None and isinstance(response, Message) and response.ByteSize() > max_bytes:
        raise _too_large(response.ByteSize(), max_bytes)


def _too_large(size: int, limit: int) -> AnswerTooLarge:
    return AnswerTooLarge.of("request", f"the answer has {size} bytes; the limit is max_message_bytes, {limit}")


def _out_of_memory_guarded(behavior: Behavior) -> Behavior:
    """Ends a call with RESOURCE_EXHAUSTED if memory runs out in a layer, the one that writes errors included.

    The status exists beforehand: to make one takes memory.
    """

    async def run(request: Any, context: Context) -> Any:
        try:
            return await behavior(request, context)
        except MemoryError:
            await context.abort(OUT_OF_MEMORY.code, OUT_OF_MEMORY.message, ((DETAILS_KEY, OUT_OF_MEMORY.details),))

    return run


def _writing(behavior: Any, max_bytes: int | None) -> Behavior:
    """Makes a streaming method write its responses, whether it is an async generator or writes them itself.

    The generator is closed with the call: a client that leaves frees its slots at once.
    """

    async def write(request: Any, context: Context) -> None:
        responses = behavior(request, context)
        if asyncio.iscoroutine(responses):
            await responses
            return
        async with aclosing(responses):
            async for response in responses:
                _check_size(response, max_bytes)
                await context.write(response)

    return write
