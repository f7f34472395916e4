"""Which of the server's functions make up which stage of a request."""

from collections.abc import Callable, MutableMapping
from typing import Any

from benchmarks.profile.stopwatch import Stopwatch
from service import assembly
from service.convert.requests import RequestReader
from service.decoding.beam import BeamSearch
from service.decoding.single import SingleSearch
from service.engine.batch import RunningBatch
from service.engine.maps import MapHistory
from service.engine.runner import Runner
from service.engine.scheduler import Scheduler
from service.engine.slots import Slots
from service.pipelines.text import SourceReader, TargetWriter
from service.servicers import attention

TOKENIZE, ENCODE, STEPS, SEARCH, MAPS = "tokenize", "encode", "steps", "search", "attention"
SLOTS, SCHEDULING, CONVERT = "slots", "scheduling", "convert"
REST = "gRPC and event loop"
STAGES = (TOKENIZE, ENCODE, STEPS, SEARCH, MAPS, SLOTS, SCHEDULING, CONVERT)


def watch_engine(stopwatch: Stopwatch, counts: MutableMapping[str, int]) -> None:
    """Watches what workers do; counts steps."""
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
    for name in ("encode", "join", "step"):
        stopwatch.watch(RunningBatch, name, SCHEDULING)
    for name in ("submit", "check", "check_unread", "_run", "_claim", "_give_back"):
        stopwatch.watch(Scheduler, name, SCHEDULING)


def watch_server(stopwatch: Stopwatch) -> None:
    """Watches what event loop and threads do beside the engine."""
    stopwatch.watch(RequestReader, "translate", CONVERT)
    stopwatch.watch(attention, "write_answer", CONVERT)
    for name in ("read", "read_parts"):
        stopwatch.watch(SourceReader, name, TOKENIZE)
    stopwatch.watch(TargetWriter, "write", TOKENIZE)
    stopwatch.watch(assembly.Assembler, "_with_maps", MAPS)
    stopwatch.watch(assembly.Assembler, "result", CONVERT)


def _count(owner: Any, name: str, counts: MutableMapping[str, int]) -> None:
    call: Callable[..., Any] = getattr(owner, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        counts["steps"] += 1  # one worker, or a few: a lost count is none in thousands
        return call(*arguments, **options)

    setattr(owner, name, counted)
