"""A `regard serve` process for tests: real command line, real signals, free loopback ports."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.metrics import metric


@dataclass
class Served:
    """A server process that answers, and its ports."""

    process: "subprocess.Popen[str]"
    grpc_port: int
    http_port: int
    health_port: int | None = None
    lines: list[str] = field(default_factory=list)  # of the log

    def log(self) -> str:
        """Returns what the server has logged since it serves."""
        return "".join(self.lines)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def metric(self, series: str) -> float:
        return metric(self.http_port, series)


@contextmanager
def served(*flags: str, prefix: Sequence[str] = ()) -> Iterator[Served]:
    """Starts a server and waits until it serves; kills it at the end if it still runs.

    Args:
        prefix: a command that runs the server's, such as one that sets limits.
    """
    with served_by([*prefix, sys.executable, "-m", "regard", "serve"], *flags) as server:
        yield server


@contextmanager
def served_by(program: Sequence[str], *flags: str) -> Iterator[Served]:
    """As `served`, by a program that takes the flags of `regard serve`."""
    command = [*program, "--grpc-port=0", "--http-port=0", "--log-format=json", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                entry = json.loads(line)
                if "grpc_port" in entry:
                    server = Served(process, entry["grpc_port"], entry["http_port"], entry.get("health_port"))
                    threading.Thread(target=server.lines.extend, args=(process.stderr,), daemon=True).start()
                    yield server
                    break
            else:
                raise AssertionError(f"the server ended with status {process.wait()}")
        finally:
            process.kill()
