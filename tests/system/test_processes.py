"""`regard serve --processes 2`: one server to its users, whichever process answers, and whichever ends."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

import regard
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S, until, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over processes")

NUM_PROCESSES = 2
NUM_CHANNELS = 24  # all of them in one of two processes: once in eight million runs
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
CALLS = 'grpc_server_handled_total{grpc_code="OK",grpc_method="Translate"'
TEXT = "Where is the library?"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    flags = (f"--processes={NUM_PROCESSES}", "--models=everyday", f"--drain-timeout-s={PATIENCE_S}")
    with served(*flags, "--libretranslate-door") as server:
        yield server
        server.process.terminate()
        assert server.process.wait(PATIENCE_S) == 0


def members(server: Served) -> list[int]:
    """The ids of the group's processes."""
    pid = server.process.pid
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@asynccontextmanager
async def channels(server: Served) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Connections that no two calls share, open in both processes."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(grpc.aio.insecure_channel(server.target, CHANNEL_OPTIONS))
            for _ in range(NUM_CHANNELS)
        ]


async def translate(channel: grpc.aio.Channel) -> Any:
    """The text of an answer, or the status of an error."""
    stub: stubs.AttentionServiceAsyncStub = stubs.AttentionServiceStub(channel)
    request = pb.TranslateRequest(texts=[TEXT], target_language="de")
    try:
        answer = await stub.Translate(request, timeout=PATIENCE_S)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return answer.results[0].hypotheses[0].text


async def load(channel: grpc.aio.Channel, *, is_unload: bool = False) -> None:
    stub: stubs.ModelServiceAsyncStub = stubs.ModelServiceStub(channel)
    if is_unload:
        await stub.UnloadModel(pb.UnloadModelRequest(name="everyday"), timeout=PATIENCE_S)
    else:
        await stub.LoadModel(pb.LoadModelRequest(name="everyday"), timeout=PATIENCE_S)


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def inherited_mb(pid: int) -> float:
    """What a process has in memory together with others, and was written before they were forked: no file's pages."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Shared_Dirty")) / 1000


async def test_processes_answer_alike_and_metrics_are_those_of_all(server: Served) -> None:
    before = await asyncio.to_thread(server.metric, CALLS)
    async with channels(server) as opened:
        found = await asyncio.gather(*map(translate, opened))
    assert set(found) == {"Wo ist die Bibliothek?"}
    for _ in range(4):  # whichever process is asked
        assert await asyncio.to_thread(server.metric, CALLS) == before + NUM_CHANNELS
        assert await asyncio.to_thread(server.metric, "regard_processes") == NUM_PROCESSES


def test_each_process_has_the_documents_that_others_translated(server: Served) -> None:
    """Each request is a connection of its own, which the kernel gives to one of the processes."""
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        b"Where is the library?\r\n--x--\r\n"
    )
    url = f"http://127.0.0.1:{server.http_port}/libretranslate/translate_file?source=en&target=de"
    request = urllib.request.Request(url, form, {"content-type": "multipart/form-data; boundary=x"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        address = json.load(answer)["translatedFileUrl"]
    for _ in range(NUM_CHANNELS):
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
            assert answer.read().decode() == "Wo ist die Bibliothek?"


async def test_a_process_that_dies_is_replaced_and_its_calls_end_as_unavailable(server: Served) -> None:
    def metric(name: str) -> float:
        return server.metric(name)

    async with channels(server) as opened:
        assert set(await asyncio.gather(*map(translate, opened))) == {"Wo ist die Bibliothek?"}
        answered, replaced = metric(CALLS), metric("regard_replaced_processes_total")
        first, second = members(server)
        for pid in (first, second):
            os.kill(pid, signal.SIGSTOP)  # so that the calls are in flight
        calls = [asyncio.ensure_future(translate(channel)) for channel in opened]
        await asyncio.sleep(0.2)
        os.kill(first, signal.SIGKILL)
        os.kill(second, signal.SIGCONT)
        found = await asyncio.wait_for(asyncio.gather(*calls), PATIENCE_S)
        assert set(found) == {"Wo ist die Bibliothek?", grpc.StatusCode.UNAVAILABLE}, "each as its process"
        await until(lambda: len(set(members(server)) - {first}) == NUM_PROCESSES)
        wait_until(lambda: metric("regard_processes") == NUM_PROCESSES)
        assert metric("regard_replaced_processes_total") == replaced + 1
        assert metric(CALLS) >= answered + found.count("Wo ist die Bibliothek?"), "the counts of the dead remain"
        again = await asyncio.gather(*map(translate, opened))
        assert again.count("Wo ist die Bibliothek?") == NUM_CHANNELS


async def test_models_change_in_all_processes_and_in_those_that_come_later(server: Served) -> None:
    not_found, text = grpc.StatusCode.NOT_FOUND, "Wo ist die Bibliothek?"
    async with channels(server) as opened:
        await load(opened[0], is_unload=True)
        assert set(await asyncio.gather(*map(translate, opened))) == {not_found}
        with pytest.raises(grpc.aio.AioRpcError, match="no model 'everyday' is loaded"):
            await load(opened[1], is_unload=True)
        dying = members(server)[0]
        os.kill(dying, signal.SIGKILL)
        wait_until(lambda: dying not in members(server) and server.metric("regard_processes") == NUM_PROCESSES)
        async with channels(server) as others:
            assert set(await asyncio.gather(*map(translate, others))) == {not_found}
        await asyncio.gather(*(load(channel) for channel in opened[:8]))
        assert set(await asyncio.gather(*map(translate, opened))) == {text}


def test_members_share_the_weights(server: Served) -> None:
    with regard.Client(server.target) as client:
        client.translate(TEXT, to="de")
    for pid in members(server):
        assert inherited_mb(pid) > 20, "packed weights have 11 MB; processes that load their own share nothing"


def test_a_port_in_use_is_an_error_also_between_groups(server: Served) -> None:
    with (
        pytest.raises(AssertionError, match="status 1"),
        served("--processes=2", "--models=everyday", f"--grpc-port={server.grpc_port}"),
    ):
        pass


async def test_sigterm_drains_all_processes() -> None:
    num_answered = num_refused = 0
    with served(f"--processes={NUM_PROCESSES}", "--models=everyday", f"--drain-timeout-s={PATIENCE_S}") as server:
        pids = members(server)
        async with channels(server) as opened:

            async def ask(channel: grpc.aio.Channel) -> None:
                nonlocal num_answered, num_refused
                while (found := await translate(channel)) == "Wo ist die Bibliothek?":
                    num_answered += 1
                assert found == grpc.StatusCode.UNAVAILABLE, found
                num_refused += 1

            callers = [asyncio.create_task(ask(channel)) for channel in opened]
            await until(lambda: num_answered >= NUM_CHANNELS)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(asyncio.gather(*callers), PATIENCE_S)
        assert await asyncio.to_thread(server.process.wait, PATIENCE_S) == 0
    assert num_refused == NUM_CHANNELS
    assert not any(map(is_there, pids))


def test_members_end_with_their_group() -> None:
    with served(f"--processes={NUM_PROCESSES}", "--models=everyday") as server:
        pids = members(server)
        assert len(pids) == NUM_PROCESSES
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not any(map(is_there, pids)))
