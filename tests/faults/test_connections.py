"""Hostile and broken clients: slow, half-open, many, malformed, oversized; and storms of calls that are given up.

While they last, and after them, an honest caller gets the right answer; afterwards no slot is taken and nothing waits.
"""

import asyncio
import resource
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path

import grpc
import pytest
from grpc.aio import Metadata
from PIL import Image

import regard
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs
from regard_service.app.settings import Settings
from tests.faults.conftest import Recovery
from tests.integration.conftest import running
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S, wait_until

TEXT = "The teacher of our youngest son said that he has lost the key to the house in the forest."
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes(3) + b"\4\0" + bytes(4)  # an empty frame of them
NUM_CONNECTIONS = 1000
GRPC_PING_TIMEOUT_S = 60.0  # what gRPC goes by unless it is configured
CLOSED = (BrokenPipeError, ConnectionResetError)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """A server that closes no connection for being slow within any test's time."""
    with served(
        "--models=everyday,flickr8k",
        "--num-workers=1",
        "--max-message-bytes=1000000",
        f"--client-timeout-s={10 * PATIENCE_S}",
        f"--max-connection-idle-s={10 * PATIENCE_S}",
    ) as server:
        yield server


@pytest.fixture(scope="module")
def expected(server: Served) -> str:
    return translate(server)


def translate(server: Served) -> str:
    with regard.Client(server.target, timeout=PATIENCE_S) as client:
        return client.translate(TEXT, to="de").text


async def wait_until_idle(server: Served) -> None:
    """Waits until no slot is taken and nothing waits."""

    def is_idle() -> bool:
        return server.metric("regard_live_slots") == server.metric("regard_queue_depth") == 0

    await asyncio.to_thread(wait_until, is_idle)


@contextmanager
def connections(port: int, beginnings: list[bytes]) -> Iterator[list[socket.socket]]:
    """Opens connections, each of which sends an incomplete message and stays open."""
    with ExitStack() as stack:
        opened = []
        for beginning in beginnings:
            each = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S))
            each.sendall(beginning)
            opened.append(each)
        yield opened


def frame(kind: int, flags: int, stream: int, payload: bytes, length: int | None = None) -> bytes:
    """Returns an HTTP/2 frame (RFC 9113, section 4.1); `length` may be false."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


HALF = [
    b"",
    PREFACE[:10],
    PREFACE + SETTINGS[:4],
    PREFACE + SETTINGS + frame(1, 4, 1, b"\x82", length=200),  # incomplete headers
    PREFACE + SETTINGS + frame(0, 0, 1, b"\0", length=16000),
]
MALFORMED = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),  # TLS on a port without it
    PREFACE + frame(4, 0, 0, b"\0\1"),  # SETTINGS of a wrong length
    PREFACE + SETTINGS + frame(1, 4, 1, b"\xff" * 100),  # no valid header compression
    PREFACE + SETTINGS + frame(0, 0, 1, b"data of no stream"),
    PREFACE + SETTINGS + frame(8, 0, 0, bytes(4)),  # a window that grows by zero
    PREFACE + SETTINGS + frame(9, 0, 1, b"continued from nothing"),
    PREFACE + SETTINGS + frame(0, 0, 1, b"", length=2**24 - 1),
]


def is_open(connection: socket.socket) -> bool:
    """Whether the server has not closed a connection; reads what it has sent."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return True
    return False


def test_half_open_and_slow_clients_hold_nobody_up(server: Served, expected: str, recovery: Recovery) -> None:
    """On both ports: 200 connections each of which says a part of something, some of them a byte at a time.

    None of them ends before the honest call does, so the call has not waited for them.
    """
    slow = b"POST /v1/translate HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"
    with (
        connections(server.grpc_port, HALF * 40) as grpc_half,
        connections(server.http_port, [slow] * 200) as http_half,
    ):
        for byte in b"X-A: b":
            for each in http_half:
                each.sendall(bytes([byte]))
            with recovery():  # while they are there
                assert translate(server) == expected
        assert sum(map(is_open, grpc_half)) == sum(map(is_open, http_half)) == 200
        assert server.metric("regard_live_slots") == 0
    with recovery():
        assert translate(server) == expected


def literal(name: bytes, value: bytes) -> bytes:
    """Returns a header outside of any table (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


CALL = frame(
    1,
    4,
    1,
    literal(b":method", b"POST")
    + literal(b":scheme", b"http")
    + literal(b":path", b"/regard.v1.AttentionService/Translate")
    + literal(b":authority", b"a")
    + literal(b"te", b"trailers")
    + literal(b"content-type", b"application/grpc"),
)
UNFINISHED = {
    "grpc": [
        *HALF,
        PREFACE + SETTINGS,
        PREFACE + SETTINGS + frame(1, 0, 1, literal(b":method", b"POST")),  # headers that are never continued
        PREFACE + SETTINGS + CALL,  # without a message
        PREFACE + SETTINGS + CALL + frame(0, 0, 1, b"\0\0\0\0\x10half of it"),
    ],
    "http": [
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
        b"POST /v1/translate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HT",  # a second request, after a response
    ],
}


@pytest.fixture(scope="module")
def impatient_server() -> Iterator[Served]:
    """Runs a server that allows one second for everything that clients do."""
    with served(
        "--models=everyday",
        "--num-workers=1",
        "--client-timeout-s=1",
        "--max-connection-idle-s=1",
        "--max-connection-age-s=1",
        "--max-deadline-s=10",
    ) as server:
        yield server


@pytest.fixture(scope="module")
def lasting_server() -> Iterator[Served]:
    """Runs a server that allows one second for requests, and connections for ever."""
    with served("--models=everyday", "--num-workers=1", "--client-timeout-s=1", "--health-port=0") as server:
        yield server


def test_a_client_that_answers_no_ping_is_closed_within_the_time_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """After half a second here: without the server's own setting it would be a minute, whatever its keepalive says."""
    monkeypatch.setattr("regard_service.app.grpc_port.KEEPALIVE_TIMEOUT_MS", 500)
    settings = Settings(grpc_port=0, http_port=0, models=("everyday",), keepalive_s=1, max_connection_age_s=None)
    with (
        running(settings) as server,
        connections(server.grpc_port, [PREFACE + SETTINGS + frame(4, 1, 0, b"")]) as (deaf,),
    ):
        deaf.settimeout(0.75 * GRPC_PING_TIMEOUT_S)
        heard = b""
        while more := received(deaf):
            heard += more
    assert b"ping_timeout" in heard


async def test_old_connections_are_replaced_and_no_call_notices(impatient_server: Served) -> None:
    """A client without retries calls on and on over one channel, whose connection the server ends after a second."""
    request = pb.TranslateRequest(texts=[TEXT], target_language="de")
    options = [("grpc.enable_retries", 0), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(impatient_server.target, options) as channel:

        async def connect(times: int) -> None:
            for _ in range(times):
                while (state := channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
                    await channel.wait_for_state_change(state)
                await channel.wait_for_state_change(state)

        stub = stubs.AttentionServiceStub(channel)
        connecting = asyncio.create_task(connect(3))
        async with asyncio.timeout(PATIENCE_S):
            while not connecting.done():
                assert (await stub.Translate(request)).results
        await connecting


@pytest.mark.parametrize("method", ["Translate", "StreamTranslate", "Check"])
async def test_a_call_without_a_message_is_ended(lasting_server: Served, method: str, recovery: Recovery) -> None:
    """The server ends only this call: its client answers pings, and other calls on its connection continue."""

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    is_probe = method == "Check"
    service = "grpc.health.v1.Health" if is_probe else "regard.v1.AttentionService"
    port = lasting_server.health_port if is_probe else lasting_server.grpc_port
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        grpc.aio.insecure_channel(lasting_server.target) as honest_channel,
    ):
        call_method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(f"/{service}/{method}")
        silent = [call_method(nothing()) for _ in range(20)]
        honest = stubs.AttentionServiceStub(honest_channel if is_probe else channel)
        request = pb.TranslateRequest(texts=[TEXT], target_language="de")
        while not all(call.done() for call in silent):
            async with asyncio.timeout(PATIENCE_S):
                assert len((await honest.Translate(request)).results) == 1
        assert {await call.code() for call in silent} == {grpc.StatusCode.DEADLINE_EXCEEDED}
        assert {await call.details() for call in silent} == {"no message came within 1 s"}
    with recovery():
        await wait_until_idle(lasting_server)


async def test_a_half_closed_call_without_a_message_is_an_error(lasting_server: Served) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        messages: tuple[bytes, ...] = ()
        for message in messages:
            yield message

    async with grpc.aio.insecure_channel(lasting_server.target) as channel:
        call_method: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(
            "/regard.v1.AttentionService/Translate"
        )
        call = call_method(nothing())
        assert await asyncio.wait_for(call.code(), PATIENCE_S) == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("port", UNFINISHED)
def test_unfinished_connections_and_calls_are_closed(impatient_server: Served, port: str, recovery: Recovery) -> None:
    """Slowloris, on both ports: connections and calls that stop, or continue byte by byte."""
    number = impatient_server.grpc_port if port == "grpc" else impatient_server.http_port
    with connections(number, UNFINISHED[port]) as opened:
        for each in opened:
            each.settimeout(PATIENCE_S)
            while received(each):
                pass
    with recovery():
        assert translate(impatient_server)


def received(connection: socket.socket) -> bytes:
    """Returns the next bytes; empty once the server has closed the connection or reset it."""
    try:
        return connection.recv(65536)
    except ConnectionResetError:
        return b""


def send_on(connection: socket.socket, data: bytes) -> None:
    """Sends the same bytes ten times a second, without reading, until the server closes the connection."""
    connection.settimeout(0.1)

    def send() -> None:
        with suppress(TimeoutError):
            connection.sendall(data)

    wait_until(send, every_s=0.1)


def test_a_byte_now_and_then_does_not_keep_a_request_open(impatient_server: Served) -> None:
    head = b"GET /healthz HTTP/1.1\r\nX-A: "
    with connections(impatient_server.http_port, [head]) as (slow,), pytest.raises(CLOSED):
        send_on(slow, b"a")


def test_a_client_that_does_not_read_the_answer_is_closed(impatient_server: Served, recovery: Recovery) -> None:
    """A client that asks for the metrics again and again and reads none of them."""
    asking = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50
    with connections(impatient_server.http_port, [b""]) as (deaf,), pytest.raises(CLOSED):
        send_on(deaf, asking)
    with recovery():
        assert translate(impatient_server)


@pytest.mark.parametrize("raw", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_frames_end_only_their_connection(
    server: Served, expected: str, raw: bytes, recovery: Recovery
) -> None:
    with regard.Client(server.target) as honest, connections(server.grpc_port, [raw]) as (broken,):
        assert honest.translate(TEXT, to="de").text == expected
        broken.shutdown(socket.SHUT_WR)
        while broken.recv(65536):
            pass  # until the server closes it
        with recovery():
            assert honest.translate(TEXT, to="de").text == expected


def test_a_thousand_connections(server: Served, expected: str, recovery: Recovery) -> None:
    """Operators set the limit of open files; here the server's is raised to the hard limit."""
    pid = server.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        with connections(server.grpc_port, [PREFACE + SETTINGS] * NUM_CONNECTIONS) as opened:
            with recovery():  # while they are open
                assert translate(server) == expected
            assert all(each.recv(9) for each in opened)  # each got the server's first frame
        with recovery():
            assert translate(server) == expected
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_an_oversized_message_is_refused(server: Served, expected: str, recovery: Recovery) -> None:
    with regard.Client(server.target) as client:
        with pytest.raises(regard.Overloaded):
            client.translate(["a" * 19_000] * 64, to="de")
        with recovery():
            assert client.translate(TEXT, to="de").text == expected


def peak_memory_bytes(process: Path) -> int:
    """The most that a process has had in memory."""
    (line,) = [line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM:")]
    return 1024 * int(line.split()[1])


def test_image_bombs_are_refused_for_what_their_header_says(server: Served, expected: str, recovery: Recovery) -> None:
    file = BytesIO()
    Image.new("1", (16_000, 16_000)).save(file, "PNG")
    process = Path(f"/proc/{server.process.pid}")
    (process / "clear_refs").write_text("5")  # the peak counts from here
    before = peak_memory_bytes(process)
    with regard.Client(server.target) as client:
        for _ in range(10):
            with pytest.raises(regard.InvalidArgument, match="pixels"):
                client.caption(file.getvalue())
    assert peak_memory_bytes(process) - before < 16_000 * 16_000 / 4, "decoded, it takes a byte per pixel"
    with recovery():
        assert translate(server) == expected


def status_details(metadata: Metadata | None) -> bytes:
    """The serialized google.rpc.Status of a call that failed; empty where its own side ended it."""
    details = metadata.get("grpc-status-details-bin") if metadata is not None else None
    return details if isinstance(details, bytes) else b""


@pytest.mark.parametrize("storm", ["deadlines", "cancellations"])
async def test_storms_free_their_slots(server: Served, expected: str, storm: str, recovery: Recovery) -> None:
    """300 long calls, whose deadlines pass or whose callers leave, and an honest one among them.

    A slow server foresees that the deadlines will pass, and refuses the calls; a fast one computes until they do.
    """
    request = pb.TranslateRequest(
        texts=[TEXT] * 4,
        target_language="de",
        generation=pb.GenerationConfig(num_beams=4, min_new_tokens=200, max_new_tokens=200),
    )
    async with grpc.aio.insecure_channel(server.target) as channel:
        stub = stubs.AttentionServiceStub(channel)
        calls = [stub.Translate(request, timeout=0.3 if storm == "deadlines" else PATIENCE_S) for _ in range(300)]
        if storm == "cancellations":
            await asyncio.to_thread(wait_until, lambda: server.metric("regard_live_slots") > 0)
            for call in calls:
                call.cancel()
        ends = {
            (await call.code(), b"DEADLINE_UNREACHABLE" in status_details(await call.trailing_metadata()))
            for call in calls
        }
    struck = grpc.StatusCode.DEADLINE_EXCEEDED if storm == "deadlines" else grpc.StatusCode.CANCELLED
    foreseen = (grpc.StatusCode.RESOURCE_EXHAUSTED, True)
    assert (struck, False) in ends or (storm == "deadlines" and foreseen in ends)
    assert {code for code, _ in ends} <= {struck, grpc.StatusCode.RESOURCE_EXHAUSTED}  # the queue was full for some
    with recovery():
        await wait_until_idle(server)
        assert await asyncio.to_thread(translate, server) == expected
