"""Faults of the server's process: killed, stopped, out of memory, out of disk, its clock set."""

import asyncio
import resource
import shutil
import signal
import socket
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

import pytest

import regard
from regard_service.bundle import Bundle, BundleError, zoo_folder
from tests.faults.conftest import Recovery
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S, until, wait_until

TEXT = "The teacher of our youngest son said that he has lost the key to the house in the forest."
ONE_MODEL = ("--models=everyday", "--num-workers=1")
# None; little; and enough for all that is small. In between, at 16 MiB, one run of nine ended the process while a text
# was tokenized (docs/operations.md).
HEADROOMS_MIB = (0, 8, 96)
LIBFAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


async def translate(target: str) -> str:
    async with regard.AsyncClient(target, timeout=PATIENCE_S) as client:
        return (await client.translate(TEXT, to="de")).text


@dataclass
class Load:
    """Callers who call again at once, so that calls are in flight whatever happens and however fast the machine is.

    Attributes:
        texts: what they were answered.
        num_lost: calls that ended with UNAVAILABLE, after which they call again.
    """

    client: regard.AsyncClient
    texts: Counter[str] = field(default_factory=Counter)
    num_lost: int = 0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self, num_callers: int) -> AsyncIterator[None]:
        """Begins once each caller may have been answered; ends when each has got its last answer."""
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
            for _ in range(num_callers):
                group.create_task(self._call())
            await until(lambda: self.texts.total() >= num_callers)
            yield
            self._stopping.set()

    async def _call(self) -> None:
        while True:
            try:
                self.texts[(await self.client.translate(TEXT, to="de")).text] += 1
            except regard.Unavailable:
                self.num_lost += 1
                await asyncio.sleep(0.1)
            else:
                if self._stopping.is_set():
                    return


def address_space(pid: int) -> int:
    """Returns the bytes that a process has mapped."""
    return resource.getpagesize() * int(Path(f"/proc/{pid}/statm").read_text().split()[0])


def clock_of(server: Served) -> float:
    """The server's wall clock, by the date of its HTTP answers, which it updates every second."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/healthz", timeout=PATIENCE_S) as answer:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()


async def test_after_kill_and_restart_callers_who_come_back_are_answered(recovery: Recovery) -> None:
    """A killed server tells nobody: what ran is lost with UNAVAILABLE and asked for again; no answer is wrong."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = (*ONE_MODEL, f"--grpc-port={port}")
    with served(*flags) as first:
        expected = await translate(first.target)
        async with regard.AsyncClient(first.target, timeout=PATIENCE_S) as client, AsyncExitStack() as restarted:
            load = Load(client)
            async with load.running(num_callers=16):
                first.process.kill()
                await asyncio.to_thread(first.process.wait)
                await until(lambda: load.num_lost > 0)
                with recovery():
                    restarted.enter_context(served(*flags))
                    num_before = load.texts.total()
                    await until(lambda: load.texts.total() > num_before)
            assert load.texts.keys() == {expected}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(*ONE_MODEL) as server:
        yield server


async def test_a_stopped_process_continues(server: Served, recovery: Recovery) -> None:
    """Calls in flight wait while the process is stopped, or end by their deadline. None is lost."""
    expected = await translate(server.target)
    async with regard.AsyncClient(server.target, timeout=PATIENCE_S) as client:
        load = Load(client)
        async with load.running(num_callers=12):
            server.process.send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(regard.DeadlineExceeded):
                    await client.translate(TEXT, to="de", timeout=0.5)
                num_before = load.texts.total()
            finally:
                server.process.send_signal(signal.SIGCONT)
            with recovery():
                await until(lambda: load.texts.total() >= num_before + 12)
    assert (set(load.texts), load.num_lost) == ({expected}, 0)


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
        assert await asyncio.wait_for(translate(server.target), PATIENCE_S) == expected


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
        "FAKETIME_CACHE_DURATION": "1",  # seconds; reading the file for every clock call makes the server crawl
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with served(*ONE_MODEL) as server:
        monkeypatch.undo()
        expected = await translate(server.target)

        def has_jumped(days: int) -> bool:
            return abs(clock_of(server) - time.time() - 86400 * days) < 3600

        async with regard.AsyncClient(server.target, timeout=PATIENCE_S) as client:
            for jump, days in (("+1d", 1), ("-365d", -365)):
                load = Load(client)
                async with load.running(num_callers=2):
                    clock.write_text(jump)
                    await asyncio.to_thread(wait_until, partial(has_jumped, days))
                    with recovery():
                        assert (await client.translate(TEXT, to="de")).text == expected
                assert (set(load.texts), load.num_lost) == ({expected}, 0)
