"""Methods in their layers, behind a real gRPC server: memory that runs out outside of a method's own code."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from regard_service.errors import OutOfMemory
from regard_service.rpc.layers.error_status import ErrorStatusLayer
from regard_service.rpc.layers.layer import Behavior, Context, Handler, Layer, Method
from regard_service.rpc.messages import MessageLimits
from regard_service.rpc.routes import Routes
from tests.waiting import PATIENCE_S

SERVICE = "test.Echo"


def fails(*_: Any) -> Any:
    raise MemoryError


async def echo(request: bytes, context: Context) -> bytes:
    return request


class FailingLayer(Layer):
    """Has no memory to do its work."""

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        async def failing(request: Any, context: Context) -> Any:
            await behavior(request, context)
            raise MemoryError

        return failing


async def call(*layers: Layer, serializer: Callable[[Any], bytes] | None = None) -> bytes:
    """Calls `echo` once, in the layers."""
    server = grpc.aio.server()
    routes = Routes(*layers, message_limits=MessageLimits(PATIENCE_S))
    handler: Handler = grpc.unary_unary_rpc_method_handler(echo, None, serializer)
    routes.add_registered_method_handlers(SERVICE, {"Echo": handler})
    server.add_generic_rpc_handlers((routes,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method: Any = channel.unary_unary(f"/{SERVICE}/Echo")
            answer: bytes = await method(b"text", timeout=PATIENCE_S)
            return answer
    finally:
        await server.stop(None)


async def test_a_response_without_a_serializer_is_returned_as_it_is() -> None:
    assert await call() == b"text"


@pytest.mark.parametrize(
    ("layers", "serializer"),
    [((), fails), ((FailingLayer(),), None), ((FailingLayer(), ErrorStatusLayer(fails)), fails)],
    ids=["serializer", "layer", "the layer of errors"],
)
async def test_a_lack_of_memory_has_its_status_wherever_it_occurs(
    layers: tuple[Layer, ...], serializer: Callable[[Any], bytes] | None
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call(*layers, serializer=serializer)
    assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert failed.value.details() == str(OutOfMemory())


async def test_the_layers_see_the_error_of_a_response_that_cannot_be_serialized() -> None:
    counted: list[str] = []
    with pytest.raises(grpc.aio.AioRpcError):
        await call(ErrorStatusLayer(counted.append), serializer=fails)
    assert counted == ["OUT_OF_MEMORY"]
