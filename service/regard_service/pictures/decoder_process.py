"""The server's side of the process that decodes expensive pictures: unlike a thread, it can be ended at any time."""

import json
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

from regard_service.pictures.abandoned import check

PROGRAM = "regard_service.pictures.decoder"
HEADER = struct.Struct("<I")  # the length of the JSON that precedes the bytes of a message

# No picture within the limits takes a tenth of it on an idle machine.
MAX_DECODING_S = 30.0
POLL_S = 0.05  # for callers who leave


class DecoderFailed(Exception):
    """The process ended, or was ended, before it had decoded the picture; the message is for the caller."""


def pack(described: Mapping[str, Any], content: bytes = b"") -> bytes:
    """Returns a message: what describes it as JSON, then its bytes."""
    head = json.dumps({**described, "size": len(content)}).encode()
    return HEADER.pack(len(head)) + head + content


class DecoderProcess:
    """One process that decodes one picture at a time. It starts with the first and stays, until a picture is given up.

    Safe in several threads, which wait for each other.
    """

    def __init__(self, max_decoding_s: float = MAX_DECODING_S) -> None:
        self._max_decoding_s = max_decoding_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process' id; None while there is none."""
        return None if self._process is None else self._process.pid

    def ask(self, request: bytes) -> tuple[dict[str, Any], bytes]:
        """Sends a message and returns the answer.

        Raises:
            Abandoned: the caller has left; the process has been ended.
            DecoderFailed: it took too long, or the picture ended the process.
            MemoryError: the system ended the process.
        """
        with self._locked():
            process = self._process = self._process or _start()
            answer, is_over = _Answer(process, self._max_decoding_s), False
            try:
                _pipe(process.stdin).write(request)
                _pipe(process.stdin).flush()
                head = json.loads(answer.read(*HEADER.unpack(answer.read(HEADER.size))))
                content, is_over = answer.read(head["size"]), True
                return head, content
            except BrokenPipeError:
                raise _failure(process) from None
            finally:
                if not is_over:
                    self._end()

    def close(self) -> None:
        """Ends the process, and with it what it decodes."""
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    _pipe(pipe).close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        while not self._lock.acquire(timeout=POLL_S):
            check()
        try:
            yield
        finally:
            self._lock.release()


class _Answer:
    """Reads from a process as long as the caller waits and the time lasts."""

    def __init__(self, process: "subprocess.Popen[bytes]", max_s: float) -> None:
        self._process = process
        self._max_s = max_s
        self._end = time.monotonic() + max_s

    def read(self, size: int) -> bytes:
        """Returns this many bytes; raises Abandoned, DecoderFailed."""
        output, content = _pipe(self._process.stdout), bytearray()
        while len(content) < size:
            check()
            if time.monotonic() > self._end:
                raise DecoderFailed(f"takes more than {self._max_s:g} s to decode")
            if select.select([output], [], [], POLL_S)[0]:
                chunk = os.read(output.fileno(), size - len(content))
                if not chunk:
                    raise _failure(self._process)
                content += chunk
        return bytes(content)


def _failure(process: "subprocess.Popen[bytes]") -> Exception:
    """Returns the error of a process that has ended by itself. The system kills one where memory is short."""
    if process.wait() == -signal.SIGKILL:
        return MemoryError()
    return DecoderFailed("ends the decoder")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101  both are pipes
    return pipe


def _start() -> "subprocess.Popen[bytes]":
    """Starts the process, in a session of its own: Ctrl+C is for the server, which ends it. It ends with its input."""
    command = [sys.executable, "-m", PROGRAM]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
