"""Every parser of bytes from outside, as a function that accepts or refuses any bytes.

`test_fuzz.py` feeds them from Hypothesis for a few seconds in every test run, `fuzz.py` from atheris for any time. An
exception that a function here raises is a finding.
"""

import json
import re
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

import grpc
from google.protobuf.message import DecodeError, Message
from opentelemetry.sdk.trace import SpanProcessor

from regard.v1 import regard_pb2 as pb
from regard_service.auth.access_control import AccessControl
from regard_service.auth.tokens import TokenEntry, TokenFile, hash_token
from regard_service.bundle import Bundle, ImageSource, Manifest, zoo_folder
from regard_service.convert.malformed import describe_malformed
from regard_service.convert.model_requests import read_list_models, read_load_model, read_model_name
from regard_service.convert.models import write_model
from regard_service.convert.open_inference.requests import read_outputs, read_request
from regard_service.convert.requests import RequestReader
from regard_service.convert.status import write_status
from regard_service.errors import DeadlinePassed, InvalidInput, ServiceError
from regard_service.http.context import HttpContext
from regard_service.http.json_requests import read_body, read_query
from regard_service.http.problems import Problem
from regard_service.observability.tracing.spans import Tracing
from regard_service.open_inference import open_inference_pb2 as v2
from regard_service.pictures.reader import ImageLimits, ImageReader
from regard_service.repository.model_repository import ModelRepository
from regard_service.rpc.layers.auth import AuthLayer
from regard_service.rpc.layers.error_status import ErrorStatusLayer
from regard_service.rpc.layers.layer import Method
from regard_service.rpc.layers.request_log import RequestLogLayer
from regard_service.rpc.layers.tracing import TracingLayer
from regard_service.text.reading import SourceReader, SourceText
from regard_service.validation.limits import CallLimits
from tests.faults.model_parsers import MODEL_PARSERS
from tests.toys import write_summarizer

SOURCE = ImageSource(height=8, width=8, mean=(127,) * 3, std=(128,) * 3, resize="crop", grid=(2, 2))
LIMITS = ImageLimits(max_pixels=250_000, max_side=1024)  # small, so that accepted pictures are read fast


def read_manifest(data: bytes) -> None:
    """Reads bytes as the manifest of a bundle whose other files are whole, and describes the model."""
    folder = bundle().folder
    (folder / "manifest.json").write_bytes(data)
    repository = ModelRepository([folder.parent])
    (info,) = repository.infos()
    assert info.state in ("ready", "failed")
    assert info.reasons or info.state == "ready"
    write_model(info).SerializeToString()


def read_image(data: bytes) -> None:
    """Reads bytes as a picture."""
    with suppress(InvalidInput):
        array = ImageReader(SOURCE, LIMITS).read(data, field="image").array
        assert array.shape == (3, SOURCE.height, SOURCE.width)


def read_message(data: bytes) -> None:
    """Reads bytes as a request of gRPC. The first byte chooses the method, so that mutations stay with it."""
    methods = _methods()
    name, message_type, read = methods[data[0] % len(methods)] if data else methods[0]
    raw = data[1:]
    try:
        read(message_type.FromString(raw))
    except DecodeError:
        _write(describe_malformed(name, raw))
    except (InvalidInput, DeadlinePassed) as error:
        _write(error)


def read_text(data: bytes) -> None:
    """Reads bytes as a text, for a model of pieces and for one that copies words."""
    text = data.decode("utf-8", errors="ignore")
    for reader, key in _readers():
        with suppress(InvalidInput):
            _check_source(reader.read(text, field="text", key=key, truncation="truncate"))
        with suppress(InvalidInput):
            for part in reader.read_parts(text, field="text", key=key):
                _check_source(part)


def read_http(data: bytes) -> None:
    """Reads bytes as the body of a request of the JSON API, and as its query."""
    for message_type in (pb.TranslateRequest, pb.StreamCaptionRequest, pb.ListModelsRequest):
        try:
            read_body(data, message_type())
        except InvalidInput as error:
            _write(error)
        try:
            read_query(parse_qsl(data.decode("utf-8", errors="replace"), keep_blank_values=True), message_type())
        except InvalidInput as error:
            _write(error)


def read_headers(data: bytes) -> None:
    """Reads bytes as the headers of a traced call that needs a token, one header per line."""
    text = data.decode("latin-1")  # as HTTP headers are decoded
    lines = [line.partition(":") for line in text.split("\n")]
    context = HttpContext([(name.strip().lower(), value.strip()) for name, _, value in lines], "ipv4:127.0.0.1:1", 1.0)
    with suppress(StopIteration, grpc.aio.AbortError):
        # Calls have their own context; nothing in this one waits.
        copy_context().run(_in_layers()(None, context).send, None)
    trailers = dict(context.trailing_metadata())
    assert re.fullmatch(r"[!-~]{1,128}", trailers["x-request-id"])
    assert context.code() in (None, grpc.StatusCode.UNAUTHENTICATED)
    if context.code() is not None:
        Problem.of_call(context).response({"x-request-id": trailers["x-request-id"]})


PARSERS: dict[str, Callable[[bytes], None]] = {
    "manifest": read_manifest,
    "image": read_image,
    "message": read_message,
    "text": read_text,
    "http": read_http,
    "headers": read_headers,
    **MODEL_PARSERS,
}


@cache
def bundle() -> Bundle:
    """Writes a toy, of 10 kB, into its own temporary folder, which the system removes."""
    root = Path(tempfile.mkdtemp(prefix="regard-fuzz-"))
    return write_summarizer(root / "toy")


@cache
def manifest_text() -> bytes:
    """Returns the toy's original manifest, without its checksum: damage then reaches the later checks."""
    fields = json.loads((bundle().folder / "manifest.json").read_bytes())
    return json.dumps({name: value for name, value in fields.items() if name != "checksum"}).encode()


@cache
def _readers() -> tuple[tuple[SourceReader, str], ...]:
    with tempfile.TemporaryDirectory() as folder:
        words = SourceReader(write_summarizer(Path(folder) / "toy"))
    return (SourceReader(Bundle.load(zoo_folder() / "everyday")), "de"), (words, "subject")


def _check_source(source: SourceText) -> None:
    assert source.array.shape[-1] == len(source.tokens)
    for token in source.tokens:
        assert token.span is None or 0 <= token.span.start <= token.span.end <= len(source.text)


Reading = tuple[str, type[Message], Callable[[Any], object]]  # method, class of its message, reader of the message


@cache
def _methods() -> tuple[Reading, ...]:
    reader = RequestReader(CallLimits())
    manifest = _toy_manifest()

    def infer(request: v2.ModelInferRequest) -> None:
        read_request(request, manifest, read_outputs(request, manifest))

    def timed(read: Callable[[Any, float | None], object]) -> Callable[[Any], object]:
        return lambda message: read(message, 1.0)

    attention, models = "regard.v1.AttentionService.", "regard.v1.ModelService."
    return (
        (attention + "Translate", pb.TranslateRequest, timed(reader.translate)),
        (attention + "StreamTranslate", pb.StreamTranslateRequest, timed(reader.translate)),
        (attention + "Summarize", pb.SummarizeRequest, timed(reader.summarize)),
        (attention + "Caption", pb.CaptionRequest, timed(reader.caption)),
        (attention + "StreamCaption", pb.StreamCaptionRequest, timed(reader.caption)),
        (models + "ListModels", pb.ListModelsRequest, read_list_models),
        (models + "GetModel", pb.GetModelRequest, read_model_name),
        (models + "LoadModel", pb.LoadModelRequest, read_load_model),
        ("inference.GRPCInferenceService.ModelInfer", v2.ModelInferRequest, infer),
    )


@cache
def _in_layers() -> Callable[[Any, HttpContext], Coroutine[Any, Any, None]]:
    """Returns a behavior in its layers: request id, trace, errors, token."""
    token = TokenEntry(name="somebody", sha256=hash_token("secret"), scopes=frozenset({"infer"}))
    method = Method("unary", "regard.v1.AttentionService", "Translate")

    async def answer(_request: None, _context: HttpContext) -> None:
        return None

    around: Any = answer
    guard = AuthLayer(AccessControl(TokenFile(tokens=(token,))), {method.service: "infer"})
    tracing = TracingLayer(Tracing(SpanProcessor()))
    for layer in (guard, ErrorStatusLayer(lambda _reason: None), tracing, RequestLogLayer()):
        around = layer.around(method, around)
    return cast("Callable[[Any, HttpContext], Coroutine[Any, Any, None]]", around)


def _toy_manifest() -> Manifest:
    with tempfile.TemporaryDirectory() as folder:
        return write_summarizer(Path(folder) / "toy").manifest


def _write(error: ServiceError) -> None:
    """Writes an error for both transports, whatever it quotes of the request."""
    write_status(error)
    json.loads(bytes(Problem.of_error(error).response().body))
