"""Callers who mean harm: requests that cost the server far more than they cost their sender.

Bounds are of work, not of time: the processor time and the memory of the server's process, many times what is needed.
"""

import asyncio
import gzip
import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

import regard
from benchmarks.hostile.http2 import RawConnection, message
from benchmarks.hostile.process_use import MIB, cpu_s, peak_bytes, resident_bytes
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs
from regard_service.app.grpc_port import LOOKAHEAD_BYTES
from regard_service.auth.tokens import hash_token
from regard_service.errors import MAX_VIOLATIONS
from regard_service.open_inference import open_inference_pb2 as v2
from tests.system.served import Served, served, served_by
from tests.waiting import PATIENCE_S, wait_until

TRANSLATE = "/regard.v1.AttentionService/Translate"
EMPTY_TEXTS = pb.TranslateRequest(texts=[""]).SerializeToString() * 8_000_000
TOKEN = "the token of the tests"


# The detector of languages loads in the background after the start: 70 MB and CPU time that are not the attack's.
PLAIN = ("--models=everyday", "--num-workers=1", "--no-check-language")


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(*PLAIN, "--open-inference") as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that wants tokens."""
    file: Path = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    file.write_text(f'[[tokens]]\nname = "web"\nsha256 = "{hash_token(TOKEN)}"\nscopes = ["infer"]\n')
    with served(*PLAIN, f"--tokens-file={file}") as server:
        yield server


def call(server: Served, path: str, raw: bytes, **options: Any) -> grpc.RpcError:
    """Sends a message, which must be refused; returns the error."""
    with grpc.insecure_channel(server.target) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        with pytest.raises(grpc.RpcError) as refused:
            method(raw, timeout=PATIENCE_S, **options)
        return refused.value


def post(server: Served, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Sends a body, which must be refused; returns the status and the problem."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=PATIENCE_S)
    with closing(connection):
        connection.request("POST", path, body, {"content-type": "application/json"} | (headers or {}))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_a_request_without_a_token_costs_its_headers(guarded: Served) -> None:
    """16 kB that would become 16 MB and 8 million texts: neither unpacked nor parsed. Nor is JSON."""
    pid = guarded.process.pid
    cpu_before_s, peak_before = cpu_s(pid), peak_bytes(pid)
    for _ in range(5):
        error = call(guarded, TRANSLATE, EMPTY_TEXTS, compression=grpc.Compression.Gzip)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        status, _ = post(guarded, "/v1/translate", b'{"texts": [' + b'"",' * 2_000_000 + b'""]}')
        assert status == 401
    assert cpu_s(pid) - cpu_before_s < 2
    assert peak_bytes(pid) - peak_before < 64 * MIB


async def test_messages_of_strangers_are_not_buffered(guarded: Served) -> None:
    """50 calls without a token, each with half of a message of 30 MB."""
    peak_before = peak_bytes(guarded.process.pid)
    half = b"\0" + (30_000_000).to_bytes(4, "big")

    async with grpc.aio.insecure_channel(guarded.target) as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(TRANSLATE)
        calls = [method(half + bytes(15_000_000)) for _ in range(50)]
        for each in calls:
            async with asyncio.timeout(PATIENCE_S):
                assert await each.code() is grpc.StatusCode.UNAUTHENTICATED
    assert peak_bytes(guarded.process.pid) - peak_before < 200 * MIB


def test_of_a_strangers_message_no_more_is_taken_than_a_window(guarded: Served) -> None:
    connection = RawConnection(guarded.grpc_port)
    with closing(connection):
        stream = connection.call(TRANSLATE.encode())
        half, sent = message(bytes(15_000_000), 30_000_000), 0

        def is_ended() -> bool:
            nonlocal sent
            sent += connection.send(stream, half[sent:])
            return stream in connection.ended

        wait_until(is_ended)
    assert sent <= LOOKAHEAD_BYTES + 65_535


def test_a_get_of_another_site_is_refused(server: Served) -> None:
    """A page of a stranger may let a browser open an address, but not hide that it is another site."""
    connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=PATIENCE_S)
    with closing(connection):
        for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
            path = "/v1/translate/stream?text=Hello.&target_language=de"
            connection.request("GET", path, headers={"sec-fetch-site": site})
            answer = connection.getresponse()
            assert answer.status == status, site
            answer.read()


def test_who_names_no_host_gets_nothing_but_what_probes_read(server: Served) -> None:
    """HTTP/1.0 needs no Host. No browser leaves it out; what pretends to be a probe reaches no API."""
    for path, status in (("/healthz", 200), ("/metrics", 200), ("/v1/models", 421), ("/", 421)):
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=PATIENCE_S) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert connection.recv(65_536).split(b" ")[1] == f"{status}".encode(), path


CROSS = pb.ATTENTION_KIND_CROSS
INVALID_TEXT = b"\x12\x02\xc3\x28"
KINDS = pb.TranslateRequest(attention=pb.AttentionConfig(kinds=[CROSS] * 4_000_000)).SerializeToString()
LAYERS = pb.TranslateRequest(texts=["a"], attention=pb.AttentionConfig(layers=[7] * 4_000_000)).SerializeToString()
LONG_TEXT = pb.TranslateRequest(texts=["a" * 15_000_000]).SerializeToString()
INFER = "/inference.GRPCInferenceService/ModelInfer"
OUTPUTS = v2.ModelInferRequest(
    model_name="everyday", outputs=[v2.ModelInferRequest.InferRequestedOutputTensor(name="text")] * 40_000
).SerializeToString()
FEW_OUTPUTS = v2.ModelInferRequest(
    model_name="everyday", outputs=[v2.ModelInferRequest.InferRequestedOutputTensor(name="text")] * 200
).SerializeToString()
RAW = v2.ModelInferRequest(
    model_name="everyday",
    inputs=[v2.ModelInferRequest.InferInputTensor(name="text", datatype="BYTES", shape=[3_000_000])],
    raw_input_contents=[bytes(12_000_000)],
).SerializeToString()
EXPENSIVE = {
    "empty texts": (TRANSLATE, EMPTY_TEXTS, "texts"),
    "invalid texts": (TRANSLATE, INVALID_TEXT * 4_000_000, "texts"),
    "kinds": (TRANSLATE, KINDS, "attention.kinds"),
    "layers": (TRANSLATE, LAYERS, "attention.layers"),
    "one long text": (TRANSLATE, LONG_TEXT, "texts[0]"),
    "unknown fields": (TRANSLATE, b"\xf8\x3f\1" * 5_000_000, "request"),
    "groups": (TRANSLATE, b"\xfb\x3f" * 7_000_000, "request"),
    "outputs": (INFER, OUTPUTS, "outputs"),
    "few outputs": (INFER, FEW_OUTPUTS, "outputs"),
    "raw elements": (INFER, RAW, "inputs[0]"),
}


@pytest.mark.parametrize(("path", "raw", "field"), EXPENSIVE.values(), ids=EXPENSIVE.keys())
def test_a_message_of_too_much_is_refused_before_it_is_parsed(
    server: Served, path: str, raw: bytes, field: str
) -> None:
    pid = server.process.pid
    call(server, path, raw[:1])  # the first refusal imports and caches
    cpu_before_s, peak_before = cpu_s(pid), peak_bytes(pid)
    for _ in range(3):
        error: Any = call(server, path, raw)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert error.details().startswith(f"{field}: ")
    assert cpu_s(pid) - cpu_before_s < 1.5
    assert peak_bytes(pid) - peak_before < 150 * MIB


BODIES = {
    "empty texts": b'{"texts": [' + b'"",' * 4_000_000 + b'""]}',
    "brackets": b"[" * 15_000_000,
    "numbers": b'{"attention": {"layers": [' + b"1," * 7_000_000 + b"1]}}",
    "names": b"{" + b",".join(b'"x%d":1' % number for number in range(800_000)) + b"}",
    "quotes": b'{"texts": "' + b'\\"' * 7_000_000 + b'"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_of_too_many_values_is_refused_before_it_is_parsed(server: Served, body: bytes) -> None:
    pid = server.process.pid
    cpu_before_s, peak_before = cpu_s(pid), peak_bytes(pid)
    for _ in range(2):
        status, problem = post(server, "/v1/translate", body)
        assert status == 400, problem
        assert problem["violations"]
    assert cpu_s(pid) - cpu_before_s < 2
    assert peak_bytes(pid) - peak_before < 200 * MIB


def test_a_packed_message_of_too_much_is_refused(server: Served) -> None:
    """gzip makes 16 kB of 16 MB, and 200 kB of 200 MB, which exceeds the limit of a message."""
    pid = server.process.pid
    cpu_before_s, peak_before = cpu_s(pid), peak_bytes(pid)
    assert len(gzip.compress(EMPTY_TEXTS)) < 20_000
    error = call(server, TRANSLATE, EMPTY_TEXTS, compression=grpc.Compression.Gzip)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    error = call(server, TRANSLATE, bytes(200_000_000), compression=grpc.Compression.Gzip)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "max_message_bytes" in (error.details() or "")
    assert cpu_s(pid) - cpu_before_s < 2
    assert peak_bytes(pid) - peak_before < 200 * MIB


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_packed_messages_are_read(server: Served, compression: grpc.Compression) -> None:
    """The server unpacks them itself, so that the event loop is not held."""
    request = pb.TranslateRequest(texts=["The dog runs."] * 120, target_language="de")
    with grpc.insecure_channel(server.target) as channel:
        stub = stubs.AttentionServiceStub(channel)
        plain = stub.Translate(request, timeout=PATIENCE_S)
        packed = stub.Translate(request, timeout=PATIENCE_S, compression=compression)
    assert [each.hypotheses[0].text for each in packed.results] == [each.hypotheses[0].text for each in plain.results]


def test_at_most_some_violations_are_told(server: Served) -> None:
    with grpc.insecure_channel(server.target) as channel:
        stub = stubs.AttentionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.Summarize(pb.SummarizeRequest(texts=[""] * 128), timeout=PATIENCE_S)
    error: Any = refused.value
    assert error.details().endswith("and 96 more violations") or error.details().endswith("...")
    raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
    details = BadRequest()
    assert any(detail.Unpack(details) for detail in Status.FromString(raw).details)
    assert len(details.field_violations) == MAX_VIOLATIONS + 1
    assert details.field_violations[-1].description == "and 96 more violations"


SENTENCE = "The teacher of our youngest son said that he has lost the key to the house in the forest. "
ALL_MAPS = pb.AttentionConfig(
    kinds=[pb.ATTENTION_KIND_CROSS, pb.ATTENTION_KIND_ENCODER_SELF, pb.ATTENTION_KIND_DECODER_SELF]
)
LARGE = pb.TranslateRequest(texts=[SENTENCE * 4] * 128, target_language="de", attention=ALL_MAPS)


def test_an_answer_that_cannot_be_sent_is_foretold(server: Served) -> None:
    """46 kB of texts whose maps would exceed the limit of a message: no request enters the engine."""
    refusals = 'regard_refused_calls_total{reason="ANSWER_TOO_LARGE"}'
    admitted = 'regard_source_tokens_total{model="everyday"}'
    before = server.metric(admitted), server.metric(refusals)
    peak_before = peak_bytes(server.process.pid)
    error: Any = call(server, TRANSLATE, LARGE.SerializeToString())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "max_message_bytes, 33554432" in error.details()
    assert "top_k" in error.details()
    body = json_format.MessageToJson(LARGE, preserving_proto_field_name=True).encode()
    status, problem = post(server, "/v1/translate", body)
    assert (status, problem["reason"]) == (400, "ANSWER_TOO_LARGE")
    assert server.metric(admitted) == before[0]
    assert server.metric(refusals) == before[1] + 2
    assert peak_bytes(server.process.pid) - peak_before < 100 * MIB


def test_what_the_refusal_says_helps(server: Served) -> None:
    """The same call with few weights of each row."""
    smaller = pb.TranslateRequest()
    smaller.CopyFrom(LARGE)
    smaller.attention.top_k = 1
    smaller.attention.encoding = pb.ENCODING_UINT8
    smaller.texts[:] = [SENTENCE] * 4
    with grpc.insecure_channel(server.target, [("grpc.max_receive_message_length", -1)]) as channel:
        answer = stubs.AttentionServiceStub(channel).Translate(smaller, timeout=PATIENCE_S)
    assert len(answer.results) == 4


def test_texts_of_very_many_tags_are_refused_before_they_are_read(server: Served) -> None:
    """Each takes some ten microseconds of a thread: 128 legal texts of 6,600 tags took eight seconds."""
    asked = pb.TranslateRequest(texts=["<b>" * 6_600] * 128, target_language="de")
    asked.text_options.format = pb.FORMAT_HTML
    cpu_before_s = cpu_s(server.process.pid)
    error = call(server, TRANSLATE, asked.SerializeToString())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "texts: have more than 200000 tags and entities, the limit of a call" in str(error.details())
    assert cpu_s(server.process.pid) - cpu_before_s < 2


def test_texts_of_very_many_tokens_are_not_all_tokenized(server: Served) -> None:
    """16 texts of 20,000 flags, of some 80,000 tokens each; 128 took 3 GB before the queue could refuse them."""
    pid = server.process.pid
    peak_before = peak_bytes(pid)
    request = pb.TranslateRequest(
        texts=["\U0001f1e9\U0001f1ea" * 10_000] * 16,
        target_language="de",
        truncation=pb.TRUNCATION_SPLIT_AND_JOIN,
        text_options=pb.TextOptions(raw=True),
    )
    error: Any = call(server, TRANSLATE, request.SerializeToString())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"texts: have more than {2**20} tokens, the limit of a call")
    assert peak_bytes(pid) - peak_before < 700 * MIB


HALF_BYTES = 15_000_000
MUCH = pb.TranslateRequest(texts=[SENTENCE * 3] * 4, target_language="de", attention=ALL_MAPS)


@pytest.fixture(scope="module")
def small() -> Iterator[Served]:
    """A server whose calls may add 64 MiB."""
    flags = (f"--max-buffered-bytes={64 * MIB}", f"--client-timeout-s={PATIENCE_S * 2}")
    with served(*PLAIN, *flags) as server:
        yield server


@pytest.fixture(scope="module")
def hasty() -> Iterator[Served]:
    """A server whose clients have a second to read an answer."""
    with served(*PLAIN, "--max-deadline-s=1", "--client-timeout-s=1") as server:
        yield server


def rested_bytes(server: Served) -> int:
    """Memory of a server after the same work for callers who read: its buffers stay, unread answers come on top."""
    with grpc.insecure_channel(server.target, [("grpc.max_receive_message_length", -1)]) as channel:
        stub = stubs.AttentionServiceStub(channel)
        calls = [stub.Translate.future(MUCH, timeout=PATIENCE_S) for _ in range(30)]
        for each in calls:
            each.exception()  # a hasty server may refuse some
    return resident_bytes(server.process.pid)


def num_files(pid: int) -> int:
    """Files and connections that a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def translate(server: Served) -> str:
    with regard.Client(server.target, timeout=PATIENCE_S) as client:
        return client.translate(SENTENCE, to="de").text


def test_unfinished_messages_give_way_where_memory_is_short(small: Served) -> None:
    """40 calls on four connections, each with half of 30 MB: 600 MB that never become a call.

    The time to finish them is a minute. Only the lack of memory can end them before.
    """
    expected, pid = translate(small), small.process.pid
    before = resident_bytes(pid)
    opened = [RawConnection(small.grpc_port) for _ in range(4)]
    half, streams = message(bytes(HALF_BYTES), 2 * HALF_BYTES), []
    try:
        for each in opened:
            streams += [(each, each.call(TRANSLATE.encode())) for _ in range(10)]
        sent = dict.fromkeys(range(len(streams)), 0)

        def has_ended_one() -> bool:
            for number, (connection, stream) in enumerate(streams):
                part = half[sent[number] : sent[number] + MIB]
                sent[number] += connection.send(stream, part)
            return sum(len(each.ended) for each in opened) >= 20

        wait_until(has_ended_one)
        assert translate(small) == expected
    finally:
        for each in opened:
            each.close()
    wait_until(lambda: resident_bytes(pid) < before + 64 * MIB)


@pytest.mark.parametrize("reason", ["time", "memory"])
def test_answers_that_nobody_reads_lose_their_connection(reason: str, request: pytest.FixtureRequest) -> None:
    """30 calls with maps over a window that stays closed. Their answers would stay in memory for ever."""
    server: Served = request.getfixturevalue("hasty" if reason == "time" else "small")
    expected, pid = translate(server), server.process.pid
    before = rested_bytes(server)
    deaf = RawConnection(server.grpc_port, own_window=0)
    try:
        for _ in range(30):
            deaf.send(deaf.call(TRANSLATE.encode()), message(MUCH.SerializeToString()), is_last=True)

        def is_closed() -> bool:
            deaf.receive()
            return not deaf.is_open

        wait_until(is_closed)
    finally:
        deaf.close()
    assert translate(server) == expected
    wait_until(lambda: resident_bytes(pid) < before + 64 * MIB)


def test_answers_over_http_that_nobody_reads_give_way_where_memory_is_short(small: Served) -> None:
    """20 answers of some 7 MB, more than the system buffers, on as many connections. Their time is minutes."""
    expected, pid = translate(small), small.process.pid
    before = rested_bytes(small)
    asked = pb.TranslateRequest(texts=[SENTENCE * 4] * 18, target_language="de", attention=ALL_MAPS)
    body = json_format.MessageToJson(asked, preserving_proto_field_name=True).encode()
    fields = ("Host: 127.0.0.1", "content-type: application/json", f"content-length: {len(body)}")
    head = "\r\n".join(("POST /v1/translate HTTP/1.1", *fields))
    opened: list[socket.socket] = []
    num_before = num_files(pid)
    try:
        for _ in range(20):
            deaf = socket.socket()
            deaf.settimeout(PATIENCE_S)
            opened.append(deaf)
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", small.http_port))
            deaf.sendall(head.encode() + b"\r\n\r\n" + body)
            assert deaf.recv(12) == b"HTTP/1.1 200"  # and not a byte more
        assert translate(small) == expected
        assert num_files(pid) - num_before < 16
    finally:
        for each in opened:
            each.close()
    assert translate(small) == expected
    wait_until(lambda: resident_bytes(pid) < before + 96 * MIB)


def test_a_stream_that_nobody_reads_ends(hasty: Served) -> None:
    request = pb.StreamTranslateRequest(text=SENTENCE * 3, target_language="de", attention=ALL_MAPS)
    deaf = RawConnection(hasty.grpc_port, own_window=0)
    with closing(deaf):
        path = b"/regard.v1.AttentionService/StreamTranslate"
        deaf.send(deaf.call(path), message(request.SerializeToString()), is_last=True)

        def has_no_slots() -> bool:
            deaf.receive()
            return hasty.metric("regard_live_slots") == 0 and not deaf.is_open

        wait_until(has_no_slots)


def unread_bytes(port: int) -> int:
    """Bytes that the kernel holds for the server in connections to a port, until the server reads them."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()[1:]]
    return sum(
        int(queues.split(":")[1], 16)
        for _, local, _, state, queues, *_ in lines
        if local.endswith(f":{port:04X}") and state != "0A"
    )


HELD = """
import signal, sys, time
from pathlib import Path
from regard_service.app.main import main

def hold(*_):
    while Path(sys.argv[1]).exists():
        time.sleep(0.01)

signal.signal(signal.SIGUSR1, hold)
sys.exit(main(sys.argv[2:]))
"""


def test_calls_beside_a_flood_that_waits_to_be_accepted_are_not_lost(tmp_path: Path) -> None:
    """3200 watches wait while the event loop is held. One queue of gRPC ends calls as CANCELLED beyond 1000."""
    flag = tmp_path / "held"
    program = [sys.executable, "-c", HELD, str(flag)]
    with served_by(program, "--models=everyday", "--num-workers=1") as server, ExitStack() as stack:
        flag.touch()
        server.process.send_signal(signal.SIGUSR1)
        for _ in range(64):
            connection = stack.enter_context(closing(RawConnection(server.grpc_port)))
            for _ in range(50):
                connection.call(b"/grpc.health.v1.Health/Watch")
        wait_until(lambda: not unread_bytes(server.grpc_port))  # gRPC's threads have queued them
        request, calls = pb.TranslateRequest(texts=["Hello."], target_language="de"), []
        for _ in range(20):
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = stack.enter_context(grpc.insecure_channel(server.target, options))
            grpc.channel_ready_future(channel).result(PATIENCE_S)
            calls.append(stubs.AttentionServiceStub(channel).Translate.future(request, timeout=PATIENCE_S))
        wait_until(lambda: not unread_bytes(server.grpc_port))  # a full queue would have refused them
        flag.unlink()
        assert {each.code() for each in calls} == {grpc.StatusCode.OK}


@pytest.mark.parametrize("value", [b"Bearer secret\xff\xfe", b"secret\x80", b"Bearer sec\xc3\x28ret"])
def test_no_bytes_of_a_token_are_logged(guarded: Served, value: bytes) -> None:
    connection = RawConnection(guarded.grpc_port)
    with closing(connection):
        stream = connection.call(TRANSLATE.encode(), (b"authorization", value))
        connection.send(stream, message(b""), is_last=True)

        def is_ended() -> bool:
            connection.receive()
            return stream in connection.ended or not connection.is_open

        wait_until(is_ended)
    wait_until(lambda: "UNAUTHENTICATED" in guarded.log() or not connection.is_open)
    assert "secret" not in guarded.log()
    assert r"sec\xc3" not in guarded.log()


def test_a_full_pipe_of_the_log_stops_nobody() -> None:
    """Standard error is a pipe that takes 64 kB and is never read. The server answers on, and ends on SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as free, socket.create_server(("127.0.0.1", 0)) as other:
        ports = free.getsockname()[1], other.getsockname()[1]
    flags = [f"--grpc-port={ports[0]}", f"--http-port={ports[1]}", "--models=everyday", "--num-workers=1"]
    process = subprocess.Popen([sys.executable, "-m", "regard", "serve", *flags], stderr=subprocess.PIPE)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
            stub = stubs.AttentionServiceStub(channel)
            request = pb.TranslateRequest(texts=[""], model="x" * 200)
            stub.Translate(
                pb.TranslateRequest(texts=["a"], target_language="de"), wait_for_ready=True, timeout=PATIENCE_S
            )
            for _ in range(1500):  # lines of some 200 bytes
                with pytest.raises(grpc.RpcError):
                    stub.Translate(request, timeout=PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.communicate()


def test_the_process_ends_whatever_its_threads_do() -> None:
    """A thread that never ends, as a graph without end: the process would wait for it. So SIGTERM ends it with 1."""
    script = (
        "import sys, threading, time\n"
        "from regard_service.app.main import main\n"
        "threading.Thread(target=lambda: [time.sleep(1) for _ in iter(int, 1)]).start()\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    flags = ["--models=everyday", "--num-workers=1", "--drain-timeout-s=0.5"]
    with served_by([sys.executable, "-c", script], *flags) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 1
