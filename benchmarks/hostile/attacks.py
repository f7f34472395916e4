"""What hostile callers send: each attack is a function that sends one round to a server, on loopback only."""

import http.client
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import grpc
import numpy as np
from google.protobuf import json_format
from PIL import Image

from benchmarks.hostile.http2 import RawConnection, message
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs

TRANSLATE = "/regard.v1.AttentionService/Translate"
CAPTION = "/regard.v1.AttentionService/Caption"
ROUND_TIMEOUT_S = 20.0
SENTENCE = "The teacher of our youngest son said that he has lost the key to the house in the forest. "
ALL_MAPS = pb.AttentionConfig(
    kinds=[pb.ATTENTION_KIND_CROSS, pb.ATTENTION_KIND_ENCODER_SELF, pb.ATTENTION_KIND_DECODER_SELF]
)


@dataclass(frozen=True)
class Target:
    """The ports of the server on loopback."""

    grpc_port: int
    http_port: int


Attack = Callable[[Target], None]


def _call(raw: bytes, path: str = TRANSLATE, **options: Any) -> Attack:
    def attack(target: Target) -> None:
        channel_options = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
        with (
            grpc.insecure_channel(f"127.0.0.1:{target.grpc_port}", channel_options) as channel,
            suppress(grpc.RpcError),
        ):
            method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
            method(raw, timeout=ROUND_TIMEOUT_S, **options)

    return attack


def _post(body: bytes) -> Attack:
    def attack(target: Target) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", target.http_port, timeout=ROUND_TIMEOUT_S)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("POST", "/v1/translate", body, {"content-type": "application/json"})
            connection.getresponse().read()

    return attack


def _byte_by_byte(target: Target) -> None:
    """A body of 500,000 chunks of a byte."""
    fields = ("Host: 127.0.0.1", "content-type: application/json", "transfer-encoding: chunked")
    head = "\r\n".join(("POST /v1/translate HTTP/1.1", *fields)).encode()
    with socket.create_connection(("127.0.0.1", target.http_port), timeout=ROUND_TIMEOUT_S) as connection:
        connection.sendall(head + b"\r\n\r\n" + b"1\r\n \r\n" * 500_000 + b"0\r\n\r\n")
        connection.recv(65_536)


def _unfinished(target: Target) -> None:
    """Ten halves of messages of 30 MB on each of five connections."""
    opened = [RawConnection(target.grpc_port) for _ in range(5)]
    half = message(bytes(15_000_000), 30_000_000)
    try:
        for connection in opened:
            for _ in range(10):
                connection.send(connection.call(TRANSLATE.encode()), half)
    finally:
        for connection in opened:
            connection.close()


def _unread(target: Target) -> None:
    """Thirty answers with maps that nobody reads."""
    asked = pb.TranslateRequest(texts=[SENTENCE * 3] * 4, target_language="de", attention=ALL_MAPS)
    connection = RawConnection(target.grpc_port, own_window=0)
    with closing(connection):
        for _ in range(30):
            connection.send(connection.call(TRANSLATE.encode()), message(asked.SerializeToString()), is_last=True)
        for _ in range(200):
            connection.receive(0.01)


def _unread_over_http(target: Target) -> None:
    """Twenty answers of some 7 MB over HTTP that nobody reads."""
    asked = pb.TranslateRequest(texts=[SENTENCE * 4] * 12, target_language="de", attention=ALL_MAPS)
    body = json_format.MessageToJson(asked, preserving_proto_field_name=True).encode()
    fields = ("Host: 127.0.0.1", "content-type: application/json", f"content-length: {len(body)}")
    head = "\r\n".join(("POST /v1/translate HTTP/1.1", *fields)).encode()
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(socket.socket())) for _ in range(20)]
        for each in opened:
            each.settimeout(ROUND_TIMEOUT_S)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.connect(("127.0.0.1", target.http_port))
            each.sendall(head + b"\r\n\r\n" + body)
        for each in opened:
            each.recv(1)


def _many_lanes(target: Target) -> None:
    """128 calls at a time, over beams and lengths."""
    with grpc.insecure_channel(f"127.0.0.1:{target.grpc_port}", [("grpc.enable_http_proxy", 0)]) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(TRANSLATE)
        calls = []
        for number in range(128):
            asked = pb.TranslateRequest(texts=[SENTENCE * (1 + number % 4)], target_language="de")
            asked.generation.num_beams = 1 + number % 16
            calls.append(method.future(asked.SerializeToString(), timeout=ROUND_TIMEOUT_S))
        for each in calls:
            each.exception()


def _scrapers(target: Target) -> None:
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", target.http_port), timeout=ROUND_TIMEOUT_S) as connection:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            while connection.recv(65_536):
                pass


def _watches(target: Target) -> None:
    """Two hundred health watches that stay open for a while."""
    connection = RawConnection(target.grpc_port)
    with closing(connection):
        for _ in range(200):
            connection.send(connection.call(b"/grpc.health.v1.Health/Watch"), message(b""), is_last=True)
        for _ in range(100):
            connection.receive(0.01)


def _progressive() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    stream = BytesIO()
    Image.fromarray(noise).save(stream, "JPEG", progressive=True, quality=5)
    file = stream.getvalue()
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * 200 + file[-2:]


def _webp() -> bytes:
    canvas = bytes(4) + (6_000).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + len(canvas).to_bytes(4, "little") + canvas + bytes(72)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _large_png() -> bytes:
    stream = BytesIO()
    Image.new("RGB", (7_000, 5_500), "red").save(stream, "PNG")
    return stream.getvalue()


def _document(content: bytes, media_type: str) -> Attack:
    request = pb.TranslateDocumentRequest(document=content, media_type=media_type, target_language="de")

    def attack(target: Target) -> None:
        with grpc.insecure_channel(f"127.0.0.1:{target.grpc_port}", [("grpc.enable_http_proxy", 0)]) as channel:
            stub = stubs.AttentionServiceStub(channel)
            with suppress(grpc.RpcError):
                for _ in stub.TranslateDocument(request, timeout=ROUND_TIMEOUT_S):
                    pass

    return attack


def _picture(file: bytes) -> Attack:
    return _call(pb.CaptionRequest(images=[file]).SerializeToString(), CAPTION)


def _kinds() -> bytes:
    asked = pb.TranslateRequest(attention=pb.AttentionConfig(kinds=[pb.ATTENTION_KIND_CROSS] * 4_000_000))
    return asked.SerializeToString()


def _flags() -> bytes:
    asked = pb.TranslateRequest(
        texts=["\U0001f1e9\U0001f1ea" * 10_000] * 128,
        target_language="de",
        truncation=pb.TRUNCATION_SPLIT_AND_JOIN,
    )
    return asked.SerializeToString()


def _maps() -> bytes:
    asked = pb.TranslateRequest(texts=[SENTENCE * 4] * 128, target_language="de", attention=ALL_MAPS)
    return asked.SerializeToString()


# By the name in the report. What an attack sends is made by the process that sends it.
ATTACKS: Mapping[str, Callable[[], Attack]] = {
    "4 million invalid texts, gzip": lambda: _call(b"\x12\x02\xc3\x28" * 4_000_000, compression=grpc.Compression.Gzip),
    "8 million empty texts": lambda: _call(b"\x12\x00" * 8_000_000),
    "4 million kinds of maps": lambda: _call(_kinds()),
    "JSON of 4 million texts": lambda: _post(b'{"texts": [' + b'"",' * 4_000_000 + b'""]}'),
    "body of 500,000 chunks of a byte": lambda: _byte_by_byte,
    "50 unfinished messages": lambda: _unfinished,
    "answers that nobody reads": lambda: _unread,
    "maps that no message holds": lambda: _call(_maps()),
    "128 texts of flags": lambda: _call(_flags()),
    "JPEG of 200 scans": lambda: _picture(_progressive()),
    "JPEG of 9 MB of fill bytes": lambda: _picture(b"\xff\xd8" + b"\xff" * 9_000_000),
    "PNG of 38 million pixels": lambda: _picture(_large_png()),
    "WebP canvas of 36 million pixels": lambda: _picture(_webp()),
    "HTML of 4 million elements": lambda: _document(b"<p>a" * 4_000_000, "text/html"),
    "answers over HTTP that nobody reads": lambda: _unread_over_http,
    "128 calls over beams and lengths": lambda: _many_lanes,
    "scrapers": lambda: _scrapers,
    "health watches": lambda: _watches,
}
