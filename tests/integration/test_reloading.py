"""LoadModel and UnloadModel over a real port: a new version under load, damaged bundles, names that are paths."""

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from google.rpc.error_details_pb2 import PreconditionFailure
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

import regard
from regard.cli import main
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.bundle import Bundle
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import NotReady
from tests.integration.conftest import running
from tests.toys import write_captioner, write_summarizer
from tests.waiting import PATIENCE_S, until, wait_until

NAME = "beginnings"
TEXT = "The Zebra of Quux and the zebra."


def write_version(folder: Path, version: str) -> Bundle:
    bundle = write_summarizer(folder)
    return Bundle.write_manifest(folder, bundle.manifest.model_copy(update={"version": version}))


def edit_manifest(folder: Path, **fields: object) -> None:
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | fields))


class Target:
    """A server, the folder that it serves, and stubs."""

    def __init__(self, folder: Path, port: int, http_port: int) -> None:
        self.folder = folder
        self.http_port = http_port
        self.address = f"127.0.0.1:{port}"
        self.channel = grpc.insecure_channel(self.address)
        self.client = regard.Client(self.address)
        self.models = pb_grpc.ModelServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def load(self, name: str = NAME, version: str | None = None) -> pb.Model:
        return self.models.LoadModel(pb.LoadModelRequest(name=name, version=version), timeout=PATIENCE_S).model

    def unload(self, name: str = NAME, version: str | None = None, timeout: float = PATIENCE_S) -> None:
        self.models.UnloadModel(pb.UnloadModelRequest(name=name, version=version), timeout=timeout)

    def serving_version(self) -> str:
        return self.client.summarize(TEXT).message.model_version

    def states(self) -> dict[tuple[str, str], str]:
        return {(model.name, model.message.version): model.state for model in self.client.models()}

    def status(self, name: str = NAME) -> int:
        return int(self.health.Check(health_pb2.HealthCheckRequest(service=f"model/{name}")).status)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    folder = tmp_path / "models"
    write_version(folder / NAME, "1")
    with running(Settings(grpc_port=0, http_port=0, model_directories=(folder,))) as server:
        target = Target(folder, server.grpc_port, server.http_port)
        try:
            yield target
        finally:
            target.client.close()
            target.channel.close()


def refusal(caught: grpc.RpcError) -> tuple[StatusCode, list[str]]:
    """Returns a failed call's code and the reasons in its details."""
    failure = PreconditionFailure()
    for detail in rpc_status.from_call(caught).details:
        if detail.Is(PreconditionFailure.DESCRIPTOR):
            detail.Unpack(failure)
    return caught.code(), [violation.description for violation in failure.violations]


def test_a_new_version_takes_over_under_load_and_no_call_fails(target: Target) -> None:
    async def call(client: regard.AsyncClient, until: asyncio.Event, seen: list[str]) -> None:
        while not until.is_set():
            result = await client.summarize(TEXT)
            assert result.text.startswith("the Zebra of"), result.text
            seen.append(result.message.model_version)

    async def stream(until: asyncio.Event, seen: list[str]) -> None:
        async with grpc.aio.insecure_channel(target.address) as channel:
            stub = pb_grpc.AttentionServiceStub(channel)
            while not until.is_set():
                events = [event async for event in stub.StreamSummarize(pb.StreamSummarizeRequest(text=TEXT))]
                assert events[0].started.model_version == events[-1].finished.result.model_version
                seen.append(events[0].started.model_version)

    async def reload_under_load() -> list[list[str]]:
        done = asyncio.Event()
        seen: list[list[str]] = [[] for _ in range(6)]
        async with regard.AsyncClient(target.address) as client, asyncio.TaskGroup() as callers:
            for number, versions in enumerate(seen):
                callers.create_task(stream(done, versions) if number < 2 else call(client, done, versions))
            serving = "1"
            for version in ("2", "10", "9"):
                await everybody_is_served_by(serving, seen)
                await asyncio.to_thread(write_version, target.folder / f"{NAME}@{version}", version)
                serving = (await asyncio.to_thread(target.load)).version
            await everybody_is_served_by(serving, seen)
            done.set()
        return seen

    async def everybody_is_served_by(version: str, seen: list[list[str]]) -> None:
        counts = [len(versions) for versions in seen]
        await until(lambda: all(len(v) > n and v[-1] == version for v, n in zip(seen, counts, strict=True)))

    for versions in asyncio.run(reload_under_load()):
        assert list(dict.fromkeys(versions)) == ["1", "2", "10"], (
            "the newest version serves, and no call returns to an older one"
        )


def test_versions_beside_each_other(target: Target) -> None:
    write_version(target.folder / "another folder", "2")
    assert target.load().version == "2"
    assert target.client.summarize(TEXT, model=f"{NAME}@2").message.model_version == "2"
    with pytest.raises(regard.NotFound):
        target.client.summarize(TEXT, model=f"{NAME}@1")
    assert target.states() == {(NAME, "2"): "ready", (NAME, "1"): "unloaded"}
    assert target.load(version="1").version == "1"  # back to the older version
    assert target.serving_version() == "1"
    assert target.load(version="1").state == pb.MODEL_STATE_READY  # again, from disk
    assert target.status() == health_pb2.HealthCheckResponse.SERVING


def test_a_damaged_version_is_refused_with_every_reason_and_the_old_one_serves(target: Target) -> None:
    folder = target.folder / "damaged"
    write_version(folder, "2")
    (folder / "step.onnx").unlink()
    (folder / "encode.onnx").write_bytes(b"no graph")
    with pytest.raises(grpc.RpcError) as caught:
        target.load()
    assert refusal(caught.value) == (
        StatusCode.FAILED_PRECONDITION,
        ["encode.onnx: does not match its checksum", "step.onnx: is missing"],
    )
    assert target.serving_version() == "1"
    assert target.status() == health_pb2.HealthCheckResponse.SERVING
    assert target.states() == {(NAME, "2"): "failed", (NAME, "1"): "ready"}
    write_summarizer(target.folder / "whole", name="other")
    assert target.load("other").name == "other"


def test_a_version_whose_warm_up_fails_is_rolled_back(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    write_version(target.folder / f"{NAME}@2", "2")
    step = Runner.step

    def broken(self: Runner, *arguments: Any) -> Any:
        if self.manifest.version == "2":
            raise RuntimeError("a node without a kernel")
        return step(self, *arguments)

    monkeypatch.setattr(Runner, "step", broken)
    with pytest.raises(grpc.RpcError) as caught:
        target.load()
    assert refusal(caught.value) == (StatusCode.FAILED_PRECONDITION, ["warm-up: a node without a kernel"])
    assert target.serving_version() == "1"
    monkeypatch.undo()
    assert target.load().version == "2"
    assert target.states() == {(NAME, "2"): "ready", (NAME, "1"): "unloaded"}


def test_models_come_from_the_model_directories_only(target: Target, tmp_path: Path) -> None:
    write_version(tmp_path / "outside", "2")
    (target.folder / "linked").symlink_to(tmp_path / "outside")
    edit_manifest(tmp_path / "outside", name="linked")
    inside = target.folder / "inside"
    write_version(inside, "1")
    (inside / "manifest.json").rename(tmp_path / "manifest.json")
    (inside / "manifest.json").symlink_to(tmp_path / "manifest.json")
    for name, reason in (("linked", "linked: is a link"), ("inside", "manifest.json: is a link")):
        with pytest.raises(grpc.RpcError) as caught:
            target.load(name)
        assert refusal(caught.value) == (StatusCode.FAILED_PRECONDITION, [reason])
    for name in ("../outside", "outside", str(tmp_path / "outside"), f"{NAME}/../../outside", "..", "linked/."):
        with pytest.raises(grpc.RpcError) as caught:
            target.load(name)
        assert caught.value.code() in (StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND)
    with pytest.raises(grpc.RpcError) as caught:
        target.load(version="3")
    assert caught.value.code() is StatusCode.NOT_FOUND
    assert target.serving_version() == "1"


def test_unload_finishes_requests_refuses_new_ones_and_frees_memory(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_captioner(target.folder / "colours")
    target.load("colours")
    gate, entered, step = threading.Event(), threading.Event(), Runner.step

    def held(self: Runner, *arguments: Any) -> Any:
        entered.set()
        assert gate.wait(PATIENCE_S)
        return step(self, *arguments)

    monkeypatch.setattr(Runner, "step", held)
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(target.serving_version()))
    caller.start()
    assert entered.wait(PATIENCE_S)
    unloading = threading.Thread(target=target.unload)
    unloading.start()
    wait_until(lambda: target.states()[NAME, "1"] == "draining")
    assert target.status() == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(regard.NotFound):
        target.client.summarize(TEXT)
    assert unloading.is_alive()
    assert not answers
    gate.set()
    caller.join(PATIENCE_S)
    unloading.join(PATIENCE_S)
    assert answers == ["1"]
    assert not unloading.is_alive()
    assert target.states()[NAME, "1"] == "unloaded"
    with pytest.raises(grpc.RpcError) as caught:
        target.unload()
    assert caught.value.code() is StatusCode.NOT_FOUND
    assert target.load().state == pb.MODEL_STATE_READY
    assert target.serving_version() == "1"


def test_at_the_start_the_newest_valid_version_serves(tmp_path: Path) -> None:
    for version in ("1", "2", "3"):
        write_version(tmp_path / f"{NAME}@{version}", version)
    (tmp_path / f"{NAME}@3" / "step.onnx").write_bytes(b"")
    with (
        running(Settings(grpc_port=0, http_port=0, model_directories=(tmp_path,))) as server,
        regard.Client(f"127.0.0.1:{server.grpc_port}") as client,
    ):
        assert client.summarize(TEXT).message.model_version == "2"
        states = [(model.message.version, model.state) for model in client.models()]
    assert states == [("3", "failed"), ("2", "ready"), ("1", "unloaded")]


def test_more_models_than_the_limit_are_not_loaded(tmp_path: Path) -> None:
    bundles = [write_version(tmp_path / NAME, "1"), write_captioner(tmp_path / "captioner")]
    size = sum(bundle.path(file).stat().st_size for bundle in bundles for file in bundle.manifest.files)
    for limit in (Settings(max_models=1), Settings(max_models_bytes=size - 1)):
        (name,) = limit.model_fields_set
        settings = limit.model_copy(update={"grpc_port": 0, "http_port": 0, "model_directories": (tmp_path,)})
        with running(settings) as server:
            target = Target(tmp_path, server.grpc_port, server.http_port)
            states = target.states()
            (refused,) = [model for model, state in states.items() if state == "failed"]
            (ready,) = [model for model, state in states.items() if state == "ready"]
            with pytest.raises(grpc.RpcError, match=name) as error:
                target.load(refused[0])
            assert error.value.code() is StatusCode.RESOURCE_EXHAUSTED
            assert rpc_status.from_call(error.value).details[0].value.find(b"MODEL_LIMIT") >= 0
            target.load(ready[0])  # it replaces itself
            target.unload(ready[0])
            target.load(refused[0])
            assert target.states()[refused] == "ready"
            target.client.close()
            target.channel.close()


def test_models_are_loaded_rolled_back_and_unloaded_from_the_command_line(target: Target) -> None:
    def models(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["models", *arguments, "--server", target.address])

    write_version(target.folder / "another folder", "2")
    assert models("load", NAME).stdout == f"{NAME}@2 serves (cpu, float32)\n"
    assert target.serving_version() == "2"
    assert models("rollback", NAME).stdout == f"{NAME}@1 serves (cpu, float32)\n"
    assert target.serving_version() == "1"
    again = models("rollback", NAME)
    assert (again.exit_code, again.stderr) == (
        1,
        f"regard: NOT_FOUND: there is no version of '{NAME}' before '1'; `regard models` lists what there is\n",
    )
    assert models("load", f"{NAME}@2").exit_code == 0
    assert models("load", f"{NAME}@7").exit_code == 1
    assert target.serving_version() == "2"
    assert models("unload", NAME).stdout == f"{NAME} is unloaded\n"
    assert set(target.states().values()) == {"unloaded"}
    assert models("rollback", NAME).exit_code == 1


def test_no_call_fails_while_the_command_line_swaps_and_rolls_back_versions(target: Target) -> None:
    """Calls never pause: each version answers some, and every one is answered."""
    write_version(target.folder / "another folder", "2")
    stopping, versions, errors = threading.Event(), list[str](), list[Exception]()

    def call() -> None:
        with regard.Client(target.address, timeout=PATIENCE_S) as client:
            while not stopping.is_set():
                try:
                    versions.append(client.summarize(TEXT).model_version)
                except Exception as error:
                    errors.append(error)

    def answered_by(version: str) -> Callable[[], bool]:
        return lambda: versions[-1:] == [version]

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for command, version in (("load", "2"), ("rollback", "1")) * 3:
            result = CliRunner().invoke(main, ["models", command, NAME, "--server", target.address])
            assert result.exit_code == 0
            wait_until(answered_by(version))
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert not errors
    assert set(versions) == {"1", "2"}


def test_models_are_loaded_and_unloaded_over_http(target: Target) -> None:
    def post(action: str, **body: str) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{target.http_port}/v1/models/{NAME}/{action}",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    write_version(target.folder / "another folder", "2")
    status, answer = post("load")
    assert (status, answer["model"]["version"]) == (200, "2")
    assert post("load", version="1")[1]["model"]["version"] == "1"
    assert target.serving_version() == "1"
    assert post("load", version="7")[0] == 404
    assert post("unload")[0] == 200
    assert target.states()[NAME, "1"] == "unloaded"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"default_models": {"summarization": "nope"}}, "no model nope in "),
        ({"default_models": {"translation": NAME}}, f"{NAME} is no model for translation, but for summarization"),
        ({"models": (f"{NAME}s",)}, f"did you mean '{NAME}'?"),
        ({"provider": "cuda"}, f"no model can be served: {NAME}: "),
        ({"precision": "int4"}, f"no model can be served: {NAME}: "),
    ],
)
async def test_settings_that_no_model_fits_end_the_start(tmp_path: Path, settings: Any, reason: str) -> None:
    write_version(tmp_path / "first folder", "1")
    with pytest.raises(NotReady) as refused:
        await Server(Settings(grpc_port=0, http_port=0, model_directories=(tmp_path,), **settings)).start()
    assert reason in str(refused.value)


async def test_a_missing_model_directory_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=f"model_directories: there is no folder {tmp_path / 'nope'}"):
        await Server(Settings(grpc_port=0, http_port=0, model_directories=(tmp_path / "nope",))).start()


def test_a_polled_directory_serves_what_is_copied_into_it(tmp_path: Path) -> None:
    models, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    write_version(models / "first folder", "1")
    settings = Settings(grpc_port=0, http_port=0, model_directories=(models,), model_poll_s=0.02)
    with running(settings) as server, regard.Client(f"127.0.0.1:{server.grpc_port}") as client:

        def serving() -> str:
            return client.summarize(TEXT).model_version

        def states() -> dict[str, str]:
            return {model.version: model.state for model in client.models()}

        half = write_version(elsewhere, "3")
        weights = next(name for name in half.manifest.files if name.endswith(".onnx"))
        content = half.path(weights).read_bytes()
        half.path(weights).write_bytes(content[:100])  # as if it was still being copied
        elsewhere.rename(models / "newer")
        wait_until(lambda: states().get("3") == "failed")
        assert serving() == "1"
        (models / "newer" / weights).write_bytes(content)
        wait_until(lambda: serving() == "3")
        write_version(elsewhere, "2")
        elsewhere.rename(models / "older")
        wait_until(lambda: states().get("2") == "unloaded")  # an older one is no reason to change
        assert serving() == "3"
        client.rollback_model(NAME)
        assert serving() == "2"
        write_version(elsewhere, "4")
        elsewhere.rename(models / "newest")
        wait_until(lambda: serving() == "4")
        client.load_model(NAME, "1")
        assert serving() == "1"  # what was looked at does not return by itself
