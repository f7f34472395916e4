"""A client of HTTP/2 by hand, for what no library does: half of a message, a window that stays closed."""

import socket
import struct
from collections import Counter
from contextlib import suppress

TIMEOUT_S = 240.0  # far more than anything takes

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
INITIAL_WINDOW = 4  # the setting
FRAME_BYTES = 16_384


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """Returns an HTTP/2 frame (RFC 9113, section 4.1); `length` may be false."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """Returns a header outside of any table (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def message(payload: bytes, length: int | None = None) -> bytes:
    """Returns a message with gRPC's prefix; `length` may be false."""
    return b"\0" + struct.pack(">I", len(payload) if length is None else length) + payload


class RawConnection:
    """One connection, which answers the server's settings and pings, and obeys its windows.

    Args:
        own_window: bytes of each answer that the server may send; 0 leaves all answers unread.
    """

    def __init__(self, port: int, own_window: int | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        settings = b"" if own_window is None else struct.pack(">HI", INITIAL_WINDOW, own_window)
        self._socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
        self._received = b""
        self._initial = 65_535
        self._windows: Counter[int] = Counter({0: 65_535})
        self._next_stream = 1
        self.is_open = True
        self.ended: set[int] = set()  # streams that the server has ended

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def call(self, path: bytes, *headers: tuple[bytes, bytes]) -> int:
        """Begins a call and returns its stream."""
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        fields = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", path),
            (b":authority", b"a"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            *headers,
        ]
        self._send(frame(HEADERS, 4, stream, b"".join(literal(*field) for field in fields)))
        return stream

    def send(self, stream: int, payload: bytes, *, is_last: bool = False) -> int:
        """Sends as much of a payload as the windows allow; returns how much."""
        sent = 0
        while sent < len(payload) and self.is_open and stream not in self.ended:
            self.receive()
            room = min(self._windows[0], self._initial + self._windows[stream], FRAME_BYTES)
            chunk = payload[sent : sent + room]
            if not chunk:
                break
            sent += len(chunk)
            self._windows[0] -= len(chunk)
            self._windows[stream] -= len(chunk)
            self._send(frame(DATA, int(is_last and sent == len(payload)), stream, chunk))
        return sent

    def receive(self, timeout_s: float = 0.001) -> None:
        """Handles the frames that have arrived."""
        self._socket.settimeout(timeout_s)
        try:
            chunk = self._socket.recv(1 << 20)
            self.is_open = bool(chunk)
            self._received += chunk
        except TimeoutError:
            pass
        except OSError:
            self.is_open = False
        self._socket.settimeout(TIMEOUT_S)
        while len(self._received) >= 9:
            size = int.from_bytes(self._received[:3], "big")
            if len(self._received) < 9 + size:
                break
            kind, flags = self._received[3:5]
            stream = int.from_bytes(self._received[5:9], "big")
            self._handle(kind, flags, stream, self._received[9 : 9 + size])
            self._received = self._received[9 + size :]

    def _handle(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == WINDOW_UPDATE:
            self._windows[stream] += int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & 1:
            for position in range(0, len(payload), 6):
                name, value = struct.unpack_from(">HI", payload, position)
                if name == INITIAL_WINDOW:
                    self._initial = value
            self._send(frame(SETTINGS, 1, 0))
        elif kind == PING and not flags & 1:
            self._send(frame(PING, 1, 0, payload))
        elif kind == RESET or (kind in (DATA, HEADERS) and flags & 1):
            self.ended.add(stream)

    def _send(self, raw: bytes) -> None:
        with suppress(OSError):
            self._socket.sendall(raw)
            return
        self.is_open = False
