"""The thin gRPC servicer of each peer, with JSON messages and a dynamic batcher.

/peers.Translator/Translate  {"text": ..., "new_tokens": n}  ->  {"text": ..., "num_tokens": n}
"""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import grpc
import uvloop

from benchmarks.peers.inside import lines
from benchmarks.peers.inside.batcher import Batcher
from benchmarks.peers.inside.translator import Message, Translator


def serve(open_translator: Callable[..., Translator]) -> None:
    """Serves `open`, which starts the server in a thread and returns its port."""

    def open_(*, num_workers: int, max_batch: int, delay_ms: float, **arguments: Any) -> dict[str, Any]:
        translator = open_translator(num_workers=num_workers, **arguments)
        ports: list[int] = []
        bound = threading.Event()

        async def run() -> None:
            batcher = Batcher(
                translator.translate, max_batch=max_batch, num_workers=num_workers, delay_s=delay_ms / 1000
            )
            server = _server(batcher)
            ports.append(server.add_insecure_port("127.0.0.1:0"))
            await server.start()
            bound.set()
            await server.wait_for_termination()

        threading.Thread(
            target=lambda: asyncio.Runner(loop_factory=uvloop.new_event_loop).run(run()), daemon=True
        ).start()
        bound.wait()
        setting = f"{translator.setting}, batches of up to {max_batch} after {delay_ms:g} ms"
        return {"versions": translator.versions, "setting": setting, "port": ports[0]}

    lines.serve({"open": open_})


def _server(batcher: Batcher) -> grpc.aio.Server:
    async def translate(request: Message, context: Any) -> Message:
        answer: Message = await batcher.submit(request)
        return answer

    handler: Any = grpc.unary_unary_rpc_method_handler(
        translate, request_deserializer=json.loads, response_serializer=lambda answer: json.dumps(answer).encode()
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("peers.Translator", {"Translate": handler})])
    return server
