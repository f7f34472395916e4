"""Triton's client for HTTP, unmodified, against a server: prints what it got as JSON. Arguments: target, version."""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import tritonclient.http as triton

TARGET, VERSION = sys.argv[1:]
TEXTS = ["Where is the library?", "My sister sleeps.", "Nobody likes coffee without sugar."]  # as in the test
OUTPUTS = ("text", "score", "num_tokens", "tokens", "source_tokens", "alignment", "cross_attention")


def given(*texts: str, binary: bool = True) -> Any:
    tensor = triton.InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_), binary_data=binary)
    return tensor


def tensors(client: Any, *, binary: bool, named: bool = True) -> dict[str, Any]:
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in OUTPUTS] if named else None
    parameters = {"target_language": "de", "num_beams": 4}
    answer = client.infer("everyday", [given(*TEXTS, binary=binary)], outputs=wanted, parameters=parameters)
    found = {name: answer.as_numpy(name) for name in OUTPUTS}
    return {
        name: [each if isinstance(each, str) else each.decode() for each in values.reshape(-1)]
        if values.dtype == object
        else values.tolist()
        for name, values in found.items()
    }


def error(call: Callable[[], object]) -> list[str]:
    try:
        call()
    except triton.InferenceServerException as raised:
        return [raised.status(), raised.message()]
    return ["none", ""]


def main() -> None:
    with triton.InferenceServerClient(TARGET) as client:
        text = [given("a")]
        found = {
            "ready": [
                client.is_server_live(),
                client.is_server_ready(),
                client.is_model_ready("everyday"),
                client.is_model_ready("everyday", VERSION),
                client.is_model_ready("nothing"),
            ],
            "server": client.get_server_metadata(),
            "metadata": client.get_model_metadata("everyday"),
            "config": client.get_model_config("everyday"),
            "bytes": tensors(client, binary=True),
            "json": tensors(client, binary=False),
            "all": tensors(client, binary=True, named=False),
            "errors": {
                "model": error(lambda: client.infer("nothing", text)),
                "language": error(lambda: client.infer("everyday", text, parameters={"target_language": "xx"})),
                "parameter": error(lambda: client.infer("everyday", text, parameters={"beams": 4})),
                "gzip": error(lambda: client.infer("everyday", text, request_compression_algorithm="gzip")),
            },
        }
    json.dump(found, sys.stdout)


main()
