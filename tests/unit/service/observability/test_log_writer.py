"""The thread that writes the log."""

import os

from regard_service.observability.log_writer import LogWriter
from tests.waiting import PATIENCE_S


def test_a_pipe_that_nobody_reads_stops_nobody() -> None:
    """The pipe takes 64 kB and the queue as much; what comes after is lost, and counted once there is room."""
    read, write = os.pipe()
    log = LogWriter(write, max_waiting_bytes=65_536)
    line = "x" * 1023 + "\n"
    for _ in range(1024):
        log.write(line)
    assert not log.drain(0.01)
    received = b""
    while b"lost here" not in received:
        received += os.read(read, 65_536)
    assert log.drain(PATIENCE_S)
    num_lost = int(received.partition(b" lines of the log were lost")[0].rpartition(b"\n")[2])
    os.close(write)
    while rest := os.read(read, 65_536):
        received += rest
    os.close(read)
    assert received.count(b"x\n") + num_lost == 1024


def test_lines_are_written_in_order() -> None:
    read, write = os.pipe()
    log = LogWriter(write)
    for number in range(100):
        log.write(f"{number}\n")
    assert log.drain(PATIENCE_S)
    assert os.read(read, 65_536).split() == [str(number).encode() for number in range(100)]
