"""The calls of the Open Inference Protocol: each reads a request, calls the servicer of gRPC, and writes its answer."""

import asyncio
from collections.abc import Mapping
from functools import partial

from regard_service.convert.open_inference.http_requests import HttpInferRequest, read_infer_request, split_body
from regard_service.convert.open_inference.http_responses import write_infer_response, write_message
from regard_service.errors import InvalidInput, NotReady
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.door import Answer
from regard_service.http.doors.given import Given
from regard_service.http.json_requests import parse_json
from regard_service.open_inference import open_inference_pb2 as v2

LENGTH_HEADER = "inference-header-content-length"
EXTENSIONS = ("binary_tensor_data",)
OCTETS = "application/octet-stream"

MAX_BYTES_ON_EVENT_LOOP = 16 * 1024
"""Of an answer that is written at once; a longer one is written in a thread."""


def nothing(given: Given) -> None:
    """Reads a request without fields."""


def model(given: Given) -> tuple[str, str]:
    """Returns the model and the version that the path names; "" is the one that serves."""
    path: Mapping[str, str] = given.in_path or {}
    return path["model"], path.get("version", "")


def json_of(given: Given) -> bytes:
    """Returns the part of a body that is JSON. Raises InvalidInput."""
    return _split(given)[0]


def read_infer(given: Given) -> HttpInferRequest:
    """Reads a request. Raises InvalidInput with every violation."""
    head, tail = _split(given)
    return read_infer_request(parse_json(head), tail, *model(given))


def _split(given: Given) -> tuple[bytes, bytes]:
    if given.headers.get("content-encoding", "identity") != "identity":
        raise InvalidInput.of("content-encoding", "is not supported; bodies are sent as they are")
    return split_body(given.body, given.headers.get(LENGTH_HEADER))


async def server_live(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Says that the server answers."""
    live = await backend.open_inference.ServerLive(v2.ServerLiveRequest(), context)
    return Answer({"live": live.live})


async def server_ready(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Says whether requests that name no model can be served."""
    ready = (await backend.open_inference.ServerReady(v2.ServerReadyRequest(), context)).ready
    return Answer({"ready": ready}, status=200 if ready else 503)


async def model_ready(model: tuple[str, str], backend: DoorBackend, context: HttpContext) -> Answer:
    """Says whether a model serves.

    Raises:
        ModelNotFound, NotReady: it does not.
    """
    name, version = model
    request = v2.ModelReadyRequest(name=name, version=version)
    if not (await backend.open_inference.ModelReady(request, context)).ready:
        backend.open_inference.manifest(name, version)  # raises what is wrong with it
        raise NotReady(f"model {name!r} is not ready")
    return Answer({"name": name, "ready": True})


async def server_metadata(message: None, backend: DoorBackend, context: HttpContext) -> Answer:
    """Names the server, its version and its extensions."""
    answer = await backend.open_inference.ServerMetadata(v2.ServerMetadataRequest(), context)
    return Answer({**write_message(answer), "extensions": [*answer.extensions, *EXTENSIONS]})


async def model_metadata(model: tuple[str, str], backend: DoorBackend, context: HttpContext) -> Answer:
    """Describes a model's tensors."""
    request = v2.ModelMetadataRequest(name=model[0], version=model[1])
    return Answer(write_message(await backend.open_inference.ModelMetadata(request, context)))


async def model_config(model: tuple[str, str], backend: DoorBackend, context: HttpContext) -> Answer:
    """Describes a model's tensors in Triton's form."""
    request = v2.ModelConfigRequest(name=model[0], version=model[1])
    return Answer(write_message((await backend.open_inference.ModelConfig(request, context)).config))


async def model_infer(request: HttpInferRequest, backend: DoorBackend, context: HttpContext) -> Answer:
    """Runs a model on the elements of its input."""
    response = await backend.open_inference.ModelInfer(request.message, context)
    write = partial(write_infer_response, response, request.is_binary)
    is_large = response.ByteSize() > MAX_BYTES_ON_EVENT_LOOP
    body, length = await asyncio.to_thread(write) if is_large else write()
    if length is None:
        return Answer(body)
    return Answer(body, OCTETS, headers={LENGTH_HEADER: str(length)})
