"""Assigns the server's functions to stages of a request."""

from collections.abc import Callable, MutableMapping
from typing import Any

from benchmarks.profile.stopwatch import Stopwatch
from regard_service.calls import results
from regard_service.convert.requests import RequestReader
from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.core.map_history import MapHistory
from regard_service.engine.driver.engine import Engine
from regard_service.engine.driver.workers import Workers
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.slots import Slots
from regard_service.engine.search.beam import BeamSearch
from regard_service.engine.search.single import SingleSearch
from regard_service.rpc.servicers import attention
from regard_service.text.reading import SourceReader
from regard_service.text.writing import TargetWriter

TOKENIZE, ENCODE, STEPS, SEARCH, MAPS = "tokenize", "encode", "steps", "search", "attention"
SLOTS, SCHEDULING, CONVERT = "slots", "scheduling", "convert"
REST = "gRPC and event loop"
STAGES = (TOKENIZE, ENCODE, STEPS, SEARCH, MAPS, SLOTS, SCHEDULING, CONVERT)


def watch_engine(stopwatch: Stopwatch, counts: MutableMapping[str, int]) -> None:
    """Times the functions that worker threads call; counts steps."""
    for kind in (SingleSearch, BeamSearch):
        for name in ("admit", "move", "num_candidates", "advance", "hypotheses", "committed"):
            stopwatch.watch(kind, name, SEARCH)
    for name in ("keep", "follow", "move"):
        stopwatch.watch(MapHistory, name, MAPS)
    for name in ("write", "advance", "move"):
        stopwatch.watch(Slots, name, SLOTS)
    for name in ("encode", "encode_on_all_cores"):
        stopwatch.watch(Runner, name, ENCODE)
    _count(Runner, "step", counts)
    stopwatch.watch(Runner, "step", STEPS)
    for name in ("encode", "join", "evict", "step"):
        stopwatch.watch(RunningBatch, name, SCHEDULING)
    for name in ("permit", "extend", "_submit"):
        stopwatch.watch(Engine, name, SCHEDULING)
    for name in ("_run", "_decide", "_finish"):
        stopwatch.watch(Workers, name, SCHEDULING)


def watch_server(stopwatch: Stopwatch) -> None:
    """Times the functions that the event loop and other threads call."""
    stopwatch.watch(RequestReader, "translate", CONVERT)
    stopwatch.watch(attention, "write_response", CONVERT)
    for name in ("read", "read_parts"):
        stopwatch.watch(SourceReader, name, TOKENIZE)
    stopwatch.watch(TargetWriter, "write", TOKENIZE)
    stopwatch.watch(results.ResultBuilder, "_with_maps", MAPS)
    stopwatch.watch(results.ResultBuilder, "result", CONVERT)


def _count(owner: Any, name: str, counts: MutableMapping[str, int]) -> None:
    call: Callable[..., Any] = getattr(owner, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        counts["steps"] += 1  # a race of a few workers loses a negligible number of counts
        return call(*arguments, **options)

    setattr(owner, name, counted)
