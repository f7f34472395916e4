"""Starts worker processes, calls them over the line protocol, and ends them."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.checkouts import WORKING_TREE, Checkout

LOG_TAIL_CHARACTERS = 2000


class WorkerFailed(Exception):
    """A call failed or the process ended; the message has the traceback or the tail of the log."""


class Worker:
    """A running worker that answers one call at a time."""

    def __init__(self, module: str, process: subprocess.Popen[str], log: Any) -> None:
        self._module = module
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id, also that of its process group."""
        return self._process.pid

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Calls by name and waits for the result.

        Raises:
            WorkerFailed: the call raised, or the process ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise WorkerFailed(f"{self._module} has no pipes")
        try:
            stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerFailed(f"{self._module} ended:\n{self._log_tail()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(f"{self._module}: {name} failed:\n{answer['error']}")
        return answer["result"]

    def _log_tail(self) -> str:
        self._log.seek(0)
        return str(self._log.read())[-LOG_TAIL_CHARACTERS:]


@contextmanager
def worker_process(
    python: Path, module: str, environment: Mapping[str, str] | None = None, checkout: Checkout = WORKING_TREE
) -> Iterator[Worker]:
    """Starts a worker, and ends it at exit.

    Args:
        python: interpreter of the worker's environment.
        module: a module of `inside`, or a module's full name.
        environment: further environment variables.
        checkout: the commit whose code runs.
    """
    variables = {**os.environ, **checkout.environment, "HF_HUB_OFFLINE": "1", **(environment or {})}
    command = [str(python), "-m", module if "." in module else f"benchmarks.peers.inside.{module}"]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=variables,
            cwd=checkout.folder, start_new_session=True,
        )  # fmt: skip
        try:
            yield Worker(module, process, log)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # includes its descendants
            process.communicate()
