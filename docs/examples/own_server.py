"""Starts a server for as long as a program needs it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Ports:
    grpc: int
    http: int


@contextmanager
def server(arguments: Sequence[str] = ()) -> Iterator[Ports]:
    """Runs `regard serve` on free loopback ports, and stops it with SIGTERM, as an operator would.

    Args:
        arguments: further ones of the command.
    """
    command = [
        sys.executable,
        "-m",
        "regard",
        "serve",
        "--grpc-port=0",
        "--http-port=0",
        "--log-format=json",
        *arguments,
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield _ports(process)
    finally:
        process.terminate()
        _, log = process.communicate(timeout=30)
    if process.returncode != 0:
        sys.stderr.write(log)
        raise SystemExit(f"the server ended with status {process.returncode}")


def _ports(process: "subprocess.Popen[str]") -> Ports:
    """Reads the server's log up to the line that names its ports."""
    lines = []
    for line in process.stderr or ():
        lines.append(line)
        if not line.startswith("{"):  # not an entry of the log: Python's own message if it cannot start
            continue
        entry = json.loads(line)
        if "grpc_port" in entry:
            return Ports(entry["grpc_port"], entry["http_port"])
    raise SystemExit("the server did not start:\n" + "".join(lines))
