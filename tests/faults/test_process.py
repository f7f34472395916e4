"""Faults of the server's process: killed, stopped, out of memory, out of disk, its clock set."""

import asyncio
import resource
import shutil
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from regard_service.bundle import Bundle, BundleError, zoo_folder

import regard
from tests.faults.conftest import Recovery
from tests.system.served import Served, served

TEXT = "The teacher of our youngest son said that he has lost the key to the house in the forest."
ONE_MODEL = ("--models=everyday", "--num-workers=1")
MAX_RESTART_S = 30.0  # a few seconds on a free machine
# None, little, and enough for small calls. With 16 MiB, one of nine runs ended the process while it tokenized a text
# (docs/operations.md).
HEADROOMS_MIB = (0, 8, 96)
LIBFAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


async def translate(target: str) -> str:
    async with regard.AsyncClient(target) as client:
        return (await client.translate(TEXT, to="de")).text


def address_space(pid: int) -> int:
    """Returns the bytes that a process has mapped."""
    return resource.getpagesize() * int(Path(f"/proc/{pid}/statm").read_text().split()[0])


def clock_of(server: Served) -> float:
    """Returns the server's time by the date of its HTTP responses, which it updates every second."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/healthz", timeout=10) as answer:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()


async def test_callers_that_retry_after_kill_and_restart_are_answered(recovery: Recovery) -> None:
    """The calls in flight of a killed server fail as UNAVAILABLE and are retried. No result is wrong."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = (*ONE_MODEL, f"--grpc-port={port}")
    with served(*flags) as first:
        expected = await translate(first.target)
        async with regard.AsyncClient(first.target) as client:

            async def ask_until_answered() -> str:
                end = time.monotonic() + MAX_RESTART_S
                while True:
                    try:
                        return (await client.translate(TEXT, to="de", num_beams=1)).text
                    except regard.Unavailable:
                        assert time.monotonic() < end
                        await asyncio.sleep(0.1)

            greedy = await ask_until_answered()
            callers = [asyncio.create_task(ask_until_answered()) for _ in range(16)]
            await asyncio.sleep(0.02)
            first.process.kill()
            await asyncio.to_thread(first.process.wait)
            killed = time.monotonic()
            with ExitStack() as running:
                with recovery():
                    second = running.enter_context(served(*flags))
                    assert set(await asyncio.wait_for(asyncio.gather(*callers), MAX_RESTART_S)) == {greedy}
                assert time.monotonic() - killed < MAX_RESTART_S
                assert await translate(second.target) == expected


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(*ONE_MODEL) as server:
        yield server


async def test_a_stopped_process_continues(server: Served, recovery: Recovery) -> None:
    """Calls in flight wait while the process is stopped, or end by their deadline. None is lost."""
    expected = await translate(server.target)
    async with regard.AsyncClient(server.target) as client:
        patient = [asyncio.create_task(client.translate(TEXT, to="de")) for _ in range(12)]
        await asyncio.sleep(0.02)
        server.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(regard.DeadlineExceeded):
                await client.translate(TEXT, to="de", timeout=0.5)
        finally:
            server.process.send_signal(signal.SIGCONT)
        continued = time.monotonic()
        with recovery():
            assert {(await call).text for call in patient} == {expected}
        assert time.monotonic() - continued < 10


@pytest.mark.parametrize("headroom_mib", HEADROOMS_MIB)
async def test_a_lack_of_memory_fails_calls_and_not_the_server(
    server: Served, headroom_mib: int, recovery: Recovery
) -> None:
    """RLIMIT_AS is a little above the process' size: calls are answered or refused, and later ones are answered."""
    expected = await translate(server.target)
    pid = server.process.pid
    limit = address_space(pid) + headroom_mib * 2**20
    before = resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    large = [TEXT * 8] * 64
    try:
        async with regard.AsyncClient(server.target) as client:
            calls = [client.translate(large, to="de", num_beams=8, truncation="truncate", timeout=5) for _ in range(2)]
            for outcome in await asyncio.gather(*calls, return_exceptions=True):
                # The call is refused for a lack of memory, or misses its deadline. It is never a failure of the server.
                assert isinstance(outcome, list | regard.Overloaded | regard.DeadlineExceeded), outcome
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)
    assert server.process.poll() is None
    with recovery():
        assert await asyncio.wait_for(translate(server.target), 20) == expected


async def test_a_full_disk_has_no_effect() -> None:
    """A file size limit of 0 simulates the full disk: every write to a file fails."""
    with served(*ONE_MODEL, prefix=("prlimit", "--fsize=0", "--")) as server:
        assert await translate(server.target)


def test_a_partly_written_bundle_is_refused(tmp_path: Path) -> None:
    """Each of its files is truncated in turn, as by a copy that ran out of space."""
    for name in sorted(Bundle.load(zoo_folder() / "everyday").manifest.files):
        folder = Path(shutil.copytree(zoo_folder() / "everyday", tmp_path / "partial"))
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(BundleError) as refused:
            Bundle.load(folder)
        assert refused.value.reasons == [f"{name}: does not match its checksum"]
        shutil.rmtree(folder)


@pytest.mark.skipif(not LIBFAKETIME.exists(), reason="needs Debian's faketime")
async def test_the_clock_may_jump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recovery: Recovery) -> None:
    """The clock jumps a day forward and a year back during calls: deadlines use the monotonic clock, which does not."""
    clock = tmp_path / "clock"
    clock.write_text("+0")
    for name, value in {
        "LD_PRELOAD": str(LIBFAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with served(*ONE_MODEL) as server:
        monkeypatch.undo()
        expected = await translate(server.target)
        async with regard.AsyncClient(server.target) as client:
            for jump, days in (("+1d", 1), ("-365d", -365)):
                calls = [asyncio.create_task(client.translate(TEXT, to="de", timeout=20)) for _ in range(8)]
                await asyncio.sleep(0.02)
                clock.write_text(jump)
                assert {(await call).text for call in calls} == {expected}
                with recovery():
                    assert (await client.translate(TEXT, to="de", timeout=20)).text == expected
                await asyncio.sleep(1.5)
                jumped_s = await asyncio.to_thread(clock_of, server) - time.time()
                assert jumped_s == pytest.approx(86400 * days, abs=60)
