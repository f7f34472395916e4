"""The parts of the layers that need no server; tests/integration/test_servicers.py has the rest."""

import asyncio
import json
import logging
import string
import subprocess
import sys
from io import StringIO

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st
from regard_service.convert.errors import INTERNAL_MESSAGE, write_error
from regard_service.errors import FieldViolation, InvalidInput, LoadFailed, ModelNotFound, Overloaded, ServiceError
from regard_service.layers.errors import ErrorLayer, Malformed, loggable
from regard_service.layers.gate import Gate
from regard_service.layers.layer import Codec, Method
from regard_service.layers.status import code_label
from regard_service.observability import logs

from regard.v1 import regard_pb2 as pb
from tests.waiting import PATIENCE_S

MAX_TRAILERS = 8192  # what clients accept by default
API = "regard.v1.AttentionService"


class Unlisted(ModelNotFound):
    """An error that the table does not name, of a kind that it does."""


def test_a_subclass_has_its_parents_status() -> None:
    assert write_error(Unlisted("no")).code is StatusCode.NOT_FOUND


@pytest.mark.parametrize("error", [KeyError("secret"), ServiceError("secret"), ValueError()])
def test_what_the_table_does_not_name_is_internal_and_silent(error: Exception) -> None:
    status = write_error(error)
    assert (status.code, status.message, status.reason) == (StatusCode.INTERNAL, INTERNAL_MESSAGE, "INTERNAL")
    assert b"secret" not in status.details


def test_every_error_of_the_tree_has_a_reason_of_its_own() -> None:
    reasons = [kind.reason for kind in (ServiceError, *ServiceError.__subclasses__())]
    assert len(set(reasons)) == len(reasons)
    assert all(set(reason) <= set(string.ascii_uppercase + "_") for reason in reasons)


def test_retry_info_tells_when_to_come_back() -> None:
    status = status_pb2.Status.FromString(write_error(Overloaded("full", 0.25)).details)
    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 250


def reader() -> Codec:
    """Reads requests for translation as the server does."""
    method = Method("unary", API, "Translate")
    return ErrorLayer(lambda reason: None).deserializer(method, pb.TranslateRequest.FromString)


# Keeps requests until there is no memory for one more.
HOARDER = """
import resource
from pathlib import Path
from regard.v1 import regard_pb2 as pb
from regard_service.layers.errors import Malformed
from tests.unit.service.layers.test_layers import reader

read, raw, kept = reader(), pb.TranslateRequest(texts=["text " * 1000] * 64).SerializeToString(), []
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (size + 2**24, limits[1]))
while not kept or not isinstance(kept[-1], Malformed):
    kept.append(read(raw))
refused = kept.pop()
kept.clear()
resource.setrlimit(resource.RLIMIT_AS, limits)
print(refused.error.reason)
"""


def test_a_request_that_there_is_no_memory_for_is_not_the_callers_fault() -> None:
    """In a process of its own, whose memory ends."""
    done = subprocess.run(
        [sys.executable, "-c", HOARDER], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.stdout.strip() == "OUT_OF_MEMORY", done.stderr


def test_bytes_that_are_no_request_are_the_callers_fault() -> None:
    malformed = reader()(b"\xff")
    assert isinstance(malformed, Malformed)
    assert malformed.error.reason == InvalidInput.reason


@given(st.lists(st.builds(FieldViolation, st.text(max_size=40), st.text(max_size=400)), min_size=1, max_size=300))
def test_whatever_is_wrong_fits_into_the_trailers(violations: list[FieldViolation]) -> None:
    status = write_error(InvalidInput(violations))
    on_the_wire = 3 * len(status.message.encode()) + len(status.details) * 4 / 3  # percent-encoded; base64
    assert on_the_wire < MAX_TRAILERS
    bad_request = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(status.details).details[1].Unpack(bad_request)
    listed = bad_request.field_violations
    assert len(listed) == len(violations) or listed[-1].description.endswith("more violations")


@given(st.lists(st.text(max_size=3000), min_size=1, max_size=100))
def test_the_reasons_of_a_refused_bundle_fit_into_the_trailers(reasons: list[str]) -> None:
    status = write_error(LoadFailed("everyday", tuple(reasons)))
    assert (status.code, status.reason) == (StatusCode.FAILED_PRECONDITION, "LOAD_FAILED")
    failure = error_details_pb2.PreconditionFailure()
    assert status_pb2.Status.FromString(status.details).details[1].Unpack(failure)
    assert 4 * len(status.details) / 3 + 3 * len(status.message.encode()) < MAX_TRAILERS  # base64, percent-encoding
    assert len(failure.violations) == len(reasons) or failure.violations[-1].description.endswith("more reasons")


@pytest.mark.parametrize(
    ("code", "label"),
    [
        (StatusCode.OK, "OK"),
        (StatusCode.CANCELLED, "Canceled"),
        (StatusCode.INVALID_ARGUMENT, "InvalidArgument"),
        (StatusCode.DEADLINE_EXCEEDED, "DeadlineExceeded"),
        (StatusCode.UNIMPLEMENTED, "Unimplemented"),
    ],
)
def test_codes_are_written_as_in_go(code: StatusCode, label: str) -> None:
    assert code_label(code) == label


def test_a_method_knows_its_kind() -> None:
    def behaviour() -> None: ...

    handler = grpc.unary_stream_rpc_method_handler(behaviour)
    assert Method.of(API, "StreamTranslate", handler).labels == ("server_stream", API, "StreamTranslate")


async def test_a_gate_counts_the_calls_of_its_services() -> None:
    gate = Gate([API])
    leave = asyncio.Event()

    async def answer(request: object, context: object) -> None:
        await leave.wait()

    async def call(service: str) -> None:
        await gate.around(Method("unary", service, "Any"), answer)(None, None)  # type: ignore[arg-type]

    inside = asyncio.create_task(call(API))
    watch = asyncio.create_task(call("grpc.health.v1.Health"))
    await asyncio.sleep(0)
    gate.close()
    with pytest.raises(ServiceError, match="shutting down"):
        await call(API)
    empty = asyncio.create_task(gate.wait_until_empty())
    await asyncio.sleep(0.01)
    assert not empty.done()
    inside.cancel()  # a call that ends badly has left as well
    await asyncio.wait_for(empty, PATIENCE_S)
    assert not watch.done()
    leave.set()
    await watch
    await asyncio.wait_for(gate.wait_until_quiet(0.01), PATIENCE_S)


def line(formatter: logging.Formatter, **fields: object) -> str:
    record = logging.LogRecord("service", logging.INFO, "", 0, "call %s", ("made",), None)
    record.fields = fields
    return formatter.format(record)


def test_a_json_line_has_its_fields() -> None:
    parsed = json.loads(line(logs.JsonFormatter(), code="OK", num_inputs=2))
    assert parsed.items() >= {"level": "info", "message": "call made", "code": "OK", "num_inputs": 2}.items()


def test_a_text_line_stays_one_line() -> None:
    text = line(logs.TextFormatter(), request_id="a\nb c", duration_ms=1.5)
    assert text.endswith('INFO    call made request_id="a\\nb c" duration_ms=1.5')
    assert "\n" not in text


def test_fields_of_a_call_stay_with_its_task() -> None:
    async def call(name: str) -> logs.LogFields:
        fields: logs.LogFields = {"request_id": name}
        logs.begin_call(fields)
        await asyncio.sleep(0)
        logs.note(model=f"model of {name}")
        return fields

    async def both() -> list[logs.LogFields]:
        return await asyncio.gather(call("a"), call("b"))

    assert [fields["model"] for fields in asyncio.run(both())] == ["model of a", "model of b"]


def test_the_log_takes_over_every_logger() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = StringIO()
    try:
        logs.configure("info", "json", stream)
        logging.getLogger("anything").warning("seen")
        logging.getLogger("uvicorn.error").info("not seen")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
    assert [json.loads(entry)["message"] for entry in stream.getvalue().splitlines()] == ["seen"]


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
def test_of_a_fields_path_only_the_apis_own_names_are_logged(path: str, logged: str) -> None:
    assert loggable(path) == logged
