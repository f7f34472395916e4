"""The command `regard serve`: reads the settings and serves until a signal."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from functools import partial

import uvloop

from regard_service.app.flags import FlagParser
from regard_service.app.lifetime import LAST_LINES_S, SWITCH_INTERVAL_S, serve_until
from regard_service.app.processes.group import serve_in_processes
from regard_service.app.server import Server
from regard_service.app.settings import Settings, SettingsError
from regard_service.app.start_error import StartError
from regard_service.errors import ServiceError
from regard_service.observability import logs

log = logging.getLogger(__name__)


async def _serve_until_stopped(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stopping.set)

    def leave_signals_alone() -> None:
        for number in signals:
            loop.remove_signal_handler(number)  # a second signal ends the process at once

    await serve_until(stopping, Server(settings), settings, leave_signals_alone)


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT, then drains. Returns the process' exit status."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        if settings.processes > 1:
            # Without a thread that writes: a fork would copy its locks as they are.
            configure = partial(logs.configure, settings.log_level, settings.log_format, in_background=False)
            return serve_in_processes(settings, configure)
        logs.configure(settings.log_level, settings.log_format)
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
    flags = vars(FlagParser().parse_args(arguments))
    try:
        settings = Settings.load(flags.pop("config"), flags=flags)
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)  # noqa: T201
        return 2
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
