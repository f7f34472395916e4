"""Bounds what parsing and checking a message may cost."""

from google.protobuf import descriptor_pool

from regard_service.convert.wire import check_message
from regard_service.rpc.layers.layer import Codec, Layer, Method
from regard_service.validation.limits import CallLimits


class MessageBounds(Layer):
    """Refuses messages with far more entries than a legal call has, before they are parsed."""

    def __init__(self, limits: CallLimits) -> None:
        self._limits = limits

    def deserializer(self, method: Method, deserialize: Codec) -> Codec:
        """Counts a message's entries first. Streams of messages, such as reflection's, are not counted."""
        if method.kind not in ("unary", "server_stream"):
            return deserialize
        message = descriptor_pool.Default().FindMethodByName(f"{method.service}.{method.name}").input_type
        limits = self._limits

        def read(raw: bytes) -> object:
            check_message(message, raw, limits)
            return deserialize(raw)

        return read
