"""Methods and their kinds."""

import grpc

from regard_service.rpc.layers.layer import Handler, Method

API = "regard.v1.AttentionService"


def test_a_method_knows_its_kind() -> None:
    def behaviour() -> None: ...

    handler: Handler = grpc.unary_stream_rpc_method_handler(behaviour)
    assert Method.of(API, "StreamTranslate", handler).labels == ("server_stream", API, "StreamTranslate")
