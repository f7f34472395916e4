"""The command `regard serve`: reads the settings and serves until a signal."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from regard_service.app.server import Server
from regard_service.app.settings import Settings, SettingsError, add_flags
from regard_service.app.start_error import StartError
from regard_service.errors import ServiceError
from regard_service.observability import logs

# A worker that returns from a step of a few milliseconds waits for the interpreter's lock while the event loop holds
# it: at most this long, instead of Python's 5 ms, in which its core would idle.
SWITCH_INTERVAL_S = 0.0002

# The number of new objects after which the garbage collector looks for cycles among them. A call creates about a
# thousand, and frees nearly all. With Python's 700, collections took a twentieth of the time outside of the graphs.
GC_YOUNG_OBJECTS = 20_000

STOP_GRACE_S = 1.5  # after the time to drain
LAST_LINES_S = 0.5

log = logging.getLogger(__name__)


async def _serve_until_stopped(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stopping.set)
    async with Server(settings):
        # The objects of the start stay. Without freezing, each collection would visit them again while calls wait.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_YOUNG_OBJECTS, *gc.get_threshold()[1:])
        await stopping.wait()
        log.info("draining")
        _end_process_after(settings.drain_timeout_s + STOP_GRACE_S)
        for number in signals:
            loop.remove_signal_handler(number)  # a second signal ends the process at once
    log.info("stopped")


def _end_process_after(seconds: float) -> None:
    """Ends the process then, whatever its threads do: a graph or a decoder that runs on cannot be stopped otherwise."""

    def end() -> None:
        time.sleep(seconds)
        log.error("threads still run %.1f s after the signal; the process ends without them", seconds)
        logs.flush(LAST_LINES_S)
        os._exit(1)

    threading.Thread(target=end, name="ending", daemon=True).start()


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT, then drains. Returns the process' exit status."""
    logs.configure(settings.log_level, settings.log_format)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve_until_stopped(settings))
    except (StartError, ServiceError) as error:
        log.error("cannot start: %s", error)
        return 1
    finally:
        logs.flush(LAST_LINES_S)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads flags, environment and file, and serves. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="regard serve", description="Serves attention models over gRPC, with metrics and health over HTTP."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    add_flags(parser)
    flags = vars(parser.parse_args(arguments))
    try:
        settings = Settings.load(flags.pop("config"), flags=flags)
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)  # noqa: T201
        return 2
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
