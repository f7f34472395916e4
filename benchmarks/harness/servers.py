"""Runs `regard serve` on loopback in its own process, which ends with the benchmark."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.harness.checkouts import WORKING_TREE, Checkout

HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
POLL_S = 0.002
LOG_TAIL_CHARACTERS = 2000

CHANNEL_OPTIONS = (("grpc.enable_http_proxy", 0),)


class ServerFailed(Exception):
    """A server did not start; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        started: `time.perf_counter` when the process started.
    """

    process: subprocess.Popen[bytes]
    port: int
    log: IO[bytes]
    started: float
    http_port: int = 0

    @property
    def target(self) -> str:
        """Address as HOST:PORT."""
        return f"{HOST}:{self.port}"

    def wait_until_healthy(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Waits until the health service answers SERVING.

        Raises:
            ServerFailed: the process ended, or the timeout passed.
        """
        end = time.perf_counter() + timeout_s
        while not _accepts(self.port):
            self._check_alive(end)
            time.sleep(POLL_S)
        with grpc.insecure_channel(self.target, CHANNEL_OPTIONS) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while not _serves(health):
                self._check_alive(end)
                time.sleep(POLL_S)

    def _check_alive(self, end: float) -> None:
        if self.process.poll() is not None:
            raise ServerFailed(f"the server ended with status {self.process.returncode}:\n{self._log_tail()}")
        if time.perf_counter() > end:
            raise ServerFailed(f"the server did not become healthy in time:\n{self._log_tail()}")

    def _log_tail(self) -> str:
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-LOG_TAIL_CHARACTERS:]

    def stop(self) -> None:
        """Drains the server; kills it if it does not end in time."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def serve(
    bundles: Path | None = None,
    *,
    models: tuple[str, ...] = (),
    flags: tuple[str, ...] = (),
    checkout: Checkout = WORKING_TREE,
    prefix: tuple[str, ...] = (),
) -> Iterator[Server]:
    """Starts `regard serve` with default settings on free ports, and stops it at exit.

    The server may not be healthy yet: see `Server.wait_until_healthy`.

    Args:
        bundles: folder of bundles; None serves the shipped ones.
        models: names of the models to load; empty loads all.
        flags: command-line flags that change settings.
        checkout: the commit whose code serves.
        prefix: a command that runs the server's, such as one that sets limits.
    """
    grpc_port, http_port = _free_ports(2)
    command = [*prefix, sys.executable, "-m", "regard", "serve", "--host", HOST]
    command += ["--grpc-port", str(grpc_port), "--http-port", str(http_port)]
    if bundles is not None:
        command += ["--model-directories", str(bundles.resolve())]
    if models:
        command += ["--models", ",".join(models)]
    command += flags
    # Settings from the environment would change what is measured.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGARD_")}
    environment = {**inherited, **checkout.environment}
    with tempfile.TemporaryFile() as log, _ending_orderly():
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=checkout.folder)
        server = Server(process, grpc_port, log, started, http_port)
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def _ending_orderly() -> Iterator[None]:
    """Turns SIGTERM into an exception, so that no server outlives a terminated benchmark."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _serves(health: health_pb2_grpc.HealthStub) -> bool:
    try:
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1.0, wait_for_ready=True)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _free_ports(count: int) -> list[int]:
    """Distinct ports that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]
