"""Errors of calls: bytes that are no request, memory that runs out, names that may be logged."""

import subprocess
import sys
import weakref

import grpc
import pytest

from regard.v1 import regard_pb2 as pb
from regard_service.errors import InvalidInput
from regard_service.http.context import HttpContext
from regard_service.rpc.layers.error_status import ErrorStatusLayer, loggable
from regard_service.rpc.layers.layer import Codec, Method
from tests.waiting import PATIENCE_S

API = "regard.v1.AttentionService"


def reader() -> Codec:
    """Returns the server's deserializer of requests to translate."""
    method = Method("unary", API, "Translate")
    return ErrorStatusLayer(lambda reason: None).deserializer(method, pb.TranslateRequest.FromString)


# Keeps requests until memory runs out.
HOARDER = """
import resource
from pathlib import Path
from regard.v1 import regard_pb2 as pb
from regard_service.errors import ServiceError
from tests.unit.service.rpc.layers.test_error_status import reader

read, raw, kept = reader(), pb.TranslateRequest(texts=["text " * 1000] * 64).SerializeToString(), []
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (size + 2**24, limits[1]))
reason = None
while reason is None:
    try:
        kept.append(read(raw))
    except ServiceError as refused:
        reason = refused.reason
kept.clear()
resource.setrlimit(resource.RLIMIT_AS, limits)
print(reason)
"""


def test_a_lack_of_memory_is_not_an_error_of_the_caller() -> None:
    """Runs in its own process with limited memory."""
    done = subprocess.run(
        [sys.executable, "-c", HOARDER], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.stdout.strip() == "OUT_OF_MEMORY", done.stderr


def test_bytes_that_are_not_a_request_are_an_error_of_the_caller() -> None:
    with pytest.raises(InvalidInput):
        reader()(b"\xff")


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("texts[12]", "texts[12]"),
        ("generation.num_beams", "generation.num_beams"),
        ("generation.numBeams", "generation.numBeams"),
        ("parameters.my secret", "parameters.?"),
        ("my. secret .texts", "?.?.texts"),
        ("my secret[texts]", "?"),
        ("texts[my secret]", "?"),
        ("request", "request"),
        ("", "?"),
    ],
)
def test_unknown_names_in_a_fields_path_are_not_logged(path: str, logged: str) -> None:
    assert loggable(path) == logged


async def test_a_refused_call_does_not_keep_its_message() -> None:
    """The error of the call refers to its cause; neither may hold the frames that held the message."""

    class Message:
        pass

    kept: list[weakref.ref[Message]] = []

    async def failing(request: object, context: object) -> None:
        message = Message()
        kept.append(weakref.ref(message))
        try:
            raise ValueError("no message")
        except ValueError as error:
            raise InvalidInput.of("request", "is bad") from error

    method = Method("unary", API, "Translate")
    guarded = ErrorStatusLayer(lambda reason: None).around(method, failing)
    with pytest.raises(grpc.aio.AbortError) as aborted:
        await guarded(None, HttpContext((), "ipv4:127.0.0.1:1"))
    assert aborted.value.__context__ is not None
    assert [each() for each in kept] == [None]
