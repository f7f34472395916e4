"""How long a server runs: until it is told to stop, and no longer than its calls may take."""

import asyncio
import gc
import logging
import os
import threading
import time
from collections.abc import Callable

from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.observability import logs

# The number of new objects after which the garbage collector looks for cycles among them. A call creates about a
# thousand, and frees nearly all. With Python's 700, collections took a twentieth of the time outside of the graphs.
GC_YOUNG_OBJECTS = 20_000

# A collection of all objects holds every thread, 26 ms for the JSON of ten answers with maps. Python begins one
# whenever a quarter has been added, several times a second where large answers come and go. Circles are few, as calls
# make none that hold much, so one in five seconds is enough; with fewer, garbage that attackers cause could fill
# the memory of a small pod.
GC_INTERVAL_S = 5.0
GC_NEVER = 1 << 30  # collections of the middle generation, until Python would begin one

# A worker that returns from a step of a few milliseconds waits for the interpreter's lock while the event loop holds
# it: at most this long, instead of Python's 5 ms, in which its core would idle. Half of it costs a tenth more of
# processor time a call: the lock changes hands within the work of a call, which takes about a quarter of a millisecond.
SWITCH_INTERVAL_S = 0.0005

STOP_GRACE_S = 1.5  # after the time to drain
LAST_LINES_S = 0.5

log = logging.getLogger(__name__)


async def serve_until(
    stopping: asyncio.Event, server: Server, settings: Settings, on_drain: Callable[[], None] = lambda: None
) -> None:
    """Starts a server, waits for the event, and drains. Args: on_drain: called when the event is set."""
    async with server:
        # The objects of the start stay. Without freezing, each collection would visit them again while calls wait.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_YOUNG_OBJECTS, gc.get_threshold()[1], GC_NEVER)
        collecting = asyncio.create_task(_collect_now_and_then())
        await stopping.wait()
        collecting.cancel()
        log.info("draining")
        _end_process_after(settings.drain_timeout_s + STOP_GRACE_S)
        on_drain()
    log.info("stopped")


async def _collect_now_and_then() -> None:
    while True:
        await asyncio.sleep(GC_INTERVAL_S)
        gc.collect()


def _end_process_after(seconds: float) -> None:
    """Ends the process then, whatever its threads do: a graph or a decoder that runs on cannot be stopped otherwise."""

    def end() -> None:
        time.sleep(seconds)
        log.error("threads still run %.1f s after the signal; the process ends without them", seconds)
        logs.flush(LAST_LINES_S)
        os._exit(1)

    threading.Thread(target=end, name="ending", daemon=True).start()
