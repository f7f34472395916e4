"""Expensive pictures are decoded in a process, which ends with whatever it was at."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from regard_service.errors import InvalidInput
from regard_service.pictures import decoder_process, reader
from regard_service.pictures.abandoned import Abandoned, abandoned_when
from regard_service.pictures.decoder_process import DecoderProcess
from tests.unit.service.pictures.test_reader import read, saved
from tests.waiting import PATIENCE_S

LARGE = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (1200, 1800, 3), np.uint8)), "JPEG")


@pytest.fixture(autouse=True)
def decoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecoderProcess]:
    decoder = DecoderProcess(PATIENCE_S)
    monkeypatch.setattr(reader, "DECODER", decoder)
    yield decoder
    decoder.close()


def never_answering(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[bytes]"]:
    """Lets the program be one that reads and never answers; returns the processes that are started."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return started[-1]

    monkeypatch.setattr(decoder_process, "_start", start)
    return started


def test_the_pixels_are_those_of_a_thread(decoder: DecoderProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = read(LARGE)
    assert decoder.pid is not None
    monkeypatch.setattr(reader, "MAX_PASSED_PIXELS_IN_THREAD", 10**9)
    here = read(LARGE)
    assert np.array_equal(apart.array, here.array)
    assert apart.grid == here.grid


def test_small_pictures_need_no_process(decoder: DecoderProcess) -> None:
    read(saved(Image.new("RGB", (800, 600), "red"), "JPEG"))
    assert decoder.pid is None


def test_passes_count_as_pixels_do(decoder: DecoderProcess) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8))
    read(saved(noise, "JPEG", progressive=True))  # ten scans
    assert decoder.pid is not None


def test_damage_is_told_as_it_is_by_a_thread() -> None:
    with pytest.raises(InvalidInput, match=r"images\[3\]: cannot be read as a JPEG, PNG or WebP file"):
        read(LARGE[: len(LARGE) // 2])


def test_the_process_ends_when_the_caller_leaves(decoder: DecoderProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    started = never_answering(monkeypatch)
    with abandoned_when(lambda: bool(started)), pytest.raises(Abandoned):
        read(LARGE)
    assert started[0].returncode is not None
    assert decoder.pid is None


def test_the_process_ends_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    started = never_answering(monkeypatch)
    monkeypatch.setattr(reader, "DECODER", DecoderProcess(max_decoding_s=0.01))
    with pytest.raises(InvalidInput, match=r"images\[3\]: takes more than 0.01 s to decode"):
        read(LARGE)
    assert started[0].returncode is not None


def test_a_picture_that_ends_the_process_is_refused_and_the_next_one_read(decoder: DecoderProcess) -> None:
    read(LARGE)
    first = decoder.pid
    assert first is not None
    os.kill(first, signal.SIGSEGV)
    with pytest.raises(InvalidInput, match=r"images\[3\]: ends the decoder"):
        read(LARGE)
    read(LARGE)
    assert decoder.pid not in (None, first)


def test_a_process_that_the_system_kills_was_short_of_memory(decoder: DecoderProcess) -> None:
    read(LARGE)
    assert decoder.pid is not None
    os.kill(decoder.pid, signal.SIGKILL)
    with pytest.raises(MemoryError):
        read(LARGE)
    read(LARGE)


def test_memory_is_limited(decoder: DecoderProcess) -> None:
    """The limit is lowered to what the process has already."""
    read(LARGE)
    assert decoder.pid is not None
    before = resource.prlimit(decoder.pid, resource.RLIMIT_AS)
    resource.prlimit(decoder.pid, resource.RLIMIT_AS, (2**20, before[1]))
    with pytest.raises(MemoryError):
        read(saved(Image.new("RGB", (6000, 6000), "red"), "PNG"))
