"""A worker that starts LitServe's program, and ends it when the worker ends."""

import importlib.metadata
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.peers.inside import lines

HOST = "127.0.0.1"
START_TIMEOUT_S = 120.0
POLL_S = 0.1


def serve(app: str, libraries: Sequence[str]) -> None:
    """Serves `open`, which starts the program and returns its port.

    Args:
        app: the program, a module of `inside`.
        libraries: those whose versions the report names.
    """
    started: list[subprocess.Popen[bytes]] = []

    def open_(*, num_workers: int, max_batch: int, delay_ms: float, folder: str, checkpoint: str) -> dict[str, Any]:
        port = _free_port()
        arguments = {
            "folder": folder, "checkpoint": checkpoint, "num-workers": num_workers, "max-batch": max_batch,
            "delay-s": delay_ms / 1000, "port": port,
        }  # fmt: skip
        flags = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
        started.append(subprocess.Popen([sys.executable, "-m", f"benchmarks.peers.inside.{app}", *flags]))
        _wait(started[0], port)
        setting = (
            f"int8, {num_workers} inference processes x 1 thread, batches of up to {max_batch} after {delay_ms:g} ms"
        )
        versions = {name: importlib.metadata.version(name) for name in libraries}
        return {"versions": versions, "setting": setting, "port": port}

    try:
        lines.serve({"open": open_})
    finally:
        for process in started:
            process.terminate()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Waits until the program accepts connections, which it does once its models are loaded."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"LitServe ended with status {process.returncode}")
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
            return
        except OSError:
            time.sleep(POLL_S)
    raise RuntimeError(f"LitServe does not accept connections after {START_TIMEOUT_S:.0f} s")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    serve("litserve_app", ("litserve", "ctranslate2", "uvicorn", "fastapi"))
