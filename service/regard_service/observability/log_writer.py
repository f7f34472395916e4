"""Writes the log in a thread, through a bounded queue: a reader who stops reading stops nobody else."""

import io
import os
import threading
from collections import deque
from typing import TextIO

MAX_WAITING_BYTES = 4 * 2**20


class LogWriter(io.TextIOBase):
    """A text stream whose writes never wait. Texts that find the queue full are dropped, and counted in the log.

    It writes to the file descriptor itself: a thread that waits within a buffered stream would keep the lock of the
    stream, for which the process' end would wait.

    Args:
        descriptor: of the file or pipe.
    """

    def __init__(self, descriptor: int, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._descriptor = descriptor
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting: deque[bytes] = deque()
        self._num_waiting_bytes = self._num_lost = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, text: str, /) -> int:
        """Queues a text."""
        raw = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if raw and self._num_waiting_bytes + len(raw) > self._max_waiting_bytes:
                self._num_lost += raw.count(b"\n")
            elif raw:
                self._waiting.append(raw)
                self._num_waiting_bytes += len(raw)
                self._changed.notify_all()
        return len(text)

    def drain(self, timeout_s: float) -> bool:
        """Waits until everything is written. Returns False if time runs out."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._num_waiting_bytes, timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                raw = self._waiting.popleft()
                num_lost, self._num_lost = self._num_lost, 0
            self._write(raw)
            if num_lost:
                self._write(f"{num_lost} lines of the log were lost here: they were not read in time\n".encode())
            with self._changed:
                self._num_waiting_bytes -= len(raw)
                self._changed.notify_all()

    def _write(self, raw: bytes) -> None:
        while raw:
            try:
                raw = raw[os.write(self._descriptor, raw) :]
            except BlockingIOError:  # somebody made the pipe non-blocking
                threading.Event().wait(0.05)
            except OSError:  # closed; there is nowhere to tell
                return


def writer_of(stream: TextIO) -> TextIO | LogWriter:
    """Returns the writer of a stream's file; the stream itself if it has none."""
    try:
        return LogWriter(stream.fileno())
    except (OSError, ValueError):
        return stream
