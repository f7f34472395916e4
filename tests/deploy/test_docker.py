"""The Dockerfile: linted, carried out step by step in clean root directories, and its result run without a network."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from deploy.docker import dockerfile
from deploy.docker.run_steps import DOCKERFILE, Image, build
from deploy.locks.check import pins, unlocked
from regard_service.app.settings import Settings
from tests.deploy.tools import DEPLOY, ROOT, program, venv_program
from tests.waiting import PATIENCE_S, wait_until

DOCKER = DEPLOY / "docker"
STAGES = {stage.name: stage for stage in dockerfile.read(DOCKERFILE.read_text())}
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())


def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    hadolint = venv_program("hadolint")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp\n")
    assert subprocess.run([hadolint, bad], capture_output=True, check=False).returncode == 1


def test_a_dockerfile_is_read_as_docker_reads_it() -> None:
    first, second = dockerfile.read(
        "# syntax\nFROM python:3 AS one\nRUN --mount=type=cache,target=/c a && \\\n    # why\n    b\n"
        'FROM one\nCOPY --from=one /a /b\nCMD ["x", "y z"]\nENV A=1 B="2 3"\n'
    )
    assert (first.name, first.base, second.name, second.base) == ("one", "python:3", "1", "one")
    assert first.instructions[0].flags == {"mount": "type=cache,target=/c"}
    assert first.instructions[0].text.split() == ["a", "&&", "b"]
    copy, command, env = second.instructions
    assert (copy.flags, copy.words()) == ({"from": "one"}, ["/a", "/b"])
    assert command.words() == ["x", "y z"]
    assert env.pairs() == {"A": "1", "B": "2 3"}
    assert dockerfile.needed([first, second], "one") == [first]


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_both_images_are_slim_versioned_and_not_roots(target: str) -> None:
    stages = dockerfile.needed(list(STAGES.values()), target)
    assert {stage.base for stage in stages} - STAGES.keys() == {"python:3.11-slim-bookworm"}
    copied = [i.flags.get("from") for i in STAGES[target].instructions if i.keyword == "COPY"]
    assert copied == [f"build-{target}"], "nothing of what built it"
    instructions = {i.keyword: i for i in STAGES["runtime"].instructions}
    assert instructions["USER"].text == "10001:10001"
    version = next(line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("version"))
    assert f'"{instructions["LABEL"].pairs()["org.opencontainers.image.version"]}"' in version
    ports = {int(port) for port in instructions["EXPOSE"].words()}
    assert ports == {Settings().grpc_port, Settings().http_port}


def test_images_take_nothing_but_what_the_lock_names() -> None:
    for kind, lock in (("build-cpu", "serve"), ("build-gpu", "gpu")):
        (step,) = [i.text for i in STAGES[kind].instructions if i.keyword == "RUN"]
        installs = [part for part in step.split("&&") if "pip install" in part]
        assert f"--require-hashes --requirement locks/{lock}.txt" in installs[0]
        assert all("--no-deps --no-build-isolation" in part for part in installs[1:])


def test_compose_mounts_what_there_is() -> None:
    services = COMPOSE["services"]
    built = services["regard"]["build"]
    assert (DOCKER / built["context"]).resolve() == ROOT
    assert (ROOT / built["dockerfile"]).samefile(DOCKERFILE)
    assert built["target"] in STAGES
    for service in services.values():
        for volume in service.get("volumes", []):
            assert (DOCKER / volume.split(":")[0]).exists(), volume
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"][0]["targets"] == [f"regard:{Settings().http_port}"]
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/regard.yaml").read_text())["providers"]
    mounts = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/regard.json" in mounts
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"].removeprefix("http://").split(":")[0] in services


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The target cpu."""
    for name in ("unshare", "chroot", "ip", "nsenter"):
        program(name, "Debian's packages util-linux, coreutils and iproute2")
    if os.geteuid() != 0 or not Path("/usr/bin/python3.11").exists():
        assert not os.environ.get("CI"), "CI runs as root, with Debian's Python 3.11"
        pytest.skip("needs root, and Python 3.11 under /usr")
    return build(tmp_path_factory.mktemp("image"))


class Container:
    """The image's entry point in a network namespace of its own, where nothing but loopback is."""

    def __init__(self, image: Image, process: "subprocess.Popen[bytes]") -> None:
        self._image = image
        self.process = process
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(self._has_begun)
        self.server_pid = int(wait_until(children.read_text))

    def _has_begun(self) -> bool:
        """Whether the process is the one whose child will be the server; before, its child sets up loopback."""
        return Path(f"/proc/{self.process.pid}/cmdline").read_bytes().startswith(b"unshare\0--mount\0")

    def kill(self) -> None:
        """Ends the server and what started it; becoming another user has freed it from `--kill-child`."""
        with suppress(ProcessLookupError):
            os.kill(self.server_pid, signal.SIGKILL)
        self.process.kill()

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        inside = ["nsenter", f"--net=/proc/{self.server_pid}/ns/net", *self._image.command(words)]
        return subprocess.run(inside, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def is_healthy(self) -> bool:
        return self.run(*self._image.healthcheck).returncode == 0


@pytest.fixture(scope="module")
def container(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    log = tmp_path_factory.mktemp("container") / "log"
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    with log.open("wb") as file, subprocess.Popen([*alone, *image.command(image.entrypoint)], stderr=file) as process:
        try:
            running = Container(image, process)
        except BaseException:
            process.kill()
            raise
        try:
            wait_until(lambda: running.is_healthy() or process.poll() is not None, every_s=1)
            assert process.poll() is None, log.read_text()
            yield running
        finally:
            running.kill()


def test_the_image_holds_what_its_sbom_lists(image: Image) -> None:
    bill = json.loads((image.root / image.labels["regard.sbom.path"].lstrip("/")).read_text())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    listed = {component["name"]: component["version"] for component in bill["components"]}
    assert {"regard", "onnxruntime", "grpcio"} <= listed.keys()
    assert not {"torch", "transformers", "onnx", "pip", "setuptools"} & listed.keys()
    installed = (image.root / "opt/regard").glob("lib/python3*/site-packages/*.dist-info")
    assert len(list(installed)) == len(listed)
    lock = (ROOT / "deploy/locks/serve.txt").read_text()
    assert unlocked(bill, pins(lock)) == []


def test_the_image_serves_without_a_network(container: Container) -> None:
    asked = container.run(
        "regard", "translate", "Where is the library?", "--to", "de", "--json", "--server=127.0.0.1:50051"
    )
    assert asked.returncode == 0, asked.stderr
    assert "Bibliothek" in asked.stdout


def test_the_server_is_nobody_and_can_write_nothing_of_its_own(container: Container) -> None:
    assert container.run("id", "-u").stdout.strip() == "10001"
    status = Path(f"/proc/{container.server_pid}/status").read_text()
    assert "\nUid:\t10001\t10001\t10001\t10001\n" in status
    assert "\nCapEff:\t0000000000000000\n" in status
    for place in ("/opt/regard/x", "/opt/regard/bin/regard", "/srv/x", "/etc/x"):
        assert container.run("touch", place).returncode != 0, place


def test_sigterm_ends_it_orderly(container: Container) -> None:
    """Last, since it ends the server."""
    os.kill(container.server_pid, 15)
    assert container.process.wait(PATIENCE_S) == 0
