"""A `regard serve` process for tests: real command line, real signals, free loopback ports."""

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.waiting import PATIENCE_S


@dataclass
class Served:
    """A server process that answers, and its ports."""

    process: "subprocess.Popen[str]"
    grpc_port: int
    http_port: int
    health_port: int | None = None

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def metric(self, series: str) -> float:
        """A metric's sum over all series whose line begins so: a name, or a name with its first labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/metrics", timeout=PATIENCE_S) as answer:
            lines = answer.read().decode().splitlines()
        name = series.partition("{")[0]
        assert any(line.startswith(f"# TYPE {name} ") for line in lines), f"there is no metric {name}"
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(series))


@contextmanager
def served(*flags: str, prefix: Sequence[str] = ()) -> Iterator[Served]:
    """Starts a server and waits until it serves; kills it at the end if it still runs.

    Args:
        prefix: a command that runs the server's, such as one that sets limits.
    """
    command = [
        *prefix,
        sys.executable,
        "-m",
        "regard",
        "serve",
        "--grpc-port=0",
        "--http-port=0",
        "--log-format=json",
        *flags,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                entry = json.loads(line)
                if "grpc_port" in entry:
                    # A pipe that nobody empties would stop the server once it is full.
                    threading.Thread(target=process.stderr.read, daemon=True).start()
                    yield Served(process, entry["grpc_port"], entry["http_port"], entry.get("health_port"))
                    break
            else:
                raise AssertionError(f"the server ended with status {process.wait()}")
        finally:
            process.kill()
