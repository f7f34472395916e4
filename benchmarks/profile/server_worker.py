"""A worker that runs the server and measures CPU time by stage.

{"call": "open", "arguments": {"bundles": ..., "model": ...}}  ->  {"port": ...}
{"call": "take"}  ->  CPU seconds by stage
"""

import asyncio
import os
import threading
import time
from typing import Any

import uvloop

from benchmarks.peers.inside import lines
from benchmarks.profile.stopwatch import Stopwatch
from benchmarks.profile.watched_functions import watch_engine, watch_server
from regard_service.app.server import Server
from regard_service.app.settings import Settings


class Watched:
    """One server with default settings and timed functions."""

    def __init__(self) -> None:
        self._stopwatch = Stopwatch()
        self._counts = {"steps": 0}
        self._cpu = 0.0

    def open(self, bundles: str, model: str) -> dict[str, Any]:
        """Starts the server in a thread; returns its port and process id."""
        watch_engine(self._stopwatch, self._counts)
        watch_server(self._stopwatch)
        for name in list(os.environ):
            if name.startswith("REGARD_"):
                del os.environ[name]
        settings = Settings.model_validate(
            {"host": "127.0.0.1", "grpc_port": 0, "http_port": 0, "model_directories": [bundles], "models": [model]}
        )
        ports: list[int] = []
        bound = threading.Event()

        async def run() -> None:
            async with Server(settings) as server:
                ports.append(server.grpc_port)
                bound.set()
                await asyncio.Event().wait()

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        threading.Thread(target=lambda: runner.run(run()), daemon=True).start()
        bound.wait()
        return {"port": ports[0], "pid": os.getpid()}

    def take(self) -> dict[str, Any]:
        """CPU seconds by stage and in total, and number of steps, since the last call."""
        now = time.process_time()
        used = {
            "cpu_s": now - self._cpu,
            "cpu_s_by_stage": self._stopwatch.take(),
            "num_steps": self._counts["steps"],
        }
        self._cpu, self._counts["steps"] = now, 0
        return used


if __name__ == "__main__":
    watched = Watched()
    lines.serve({"open": watched.open, "take": watched.take})
