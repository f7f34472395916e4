"""A worker that runs the engine and measures CPU time by stage, or ONNX Runtime's profile of the graphs.

{"call": "stages" | "operators", "arguments": {"folder": ..., "precision": ..., "groups": [...], ...}}
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnxruntime

from benchmarks.peers.inside import lines
from benchmarks.peers.inside.engine import Group
from benchmarks.peers.inside.regard_engine import RegardEngine
from benchmarks.profile import operators as reading
from benchmarks.profile.stopwatch import Stopwatch
from benchmarks.profile.watched_functions import watch_engine

ROUNDS = 3


def stages(folder: str, precision: str, groups: Sequence[Group], num_slots: int, one_by_one: bool) -> dict[str, Any]:
    """CPU seconds by stage and in total on one worker thread, with the numbers of steps and tokens."""
    stopwatch, counts = Stopwatch(), {"steps": 0}
    watch_engine(stopwatch, counts)
    engine = RegardEngine(folder, precision, 1, num_slots)
    engine.run(groups, 1, one_by_one)
    stopwatch.take()
    counts["steps"] = 0
    cpu = time.process_time()
    made = [engine.run(groups, 1, one_by_one) for _ in range(ROUNDS)]
    total = time.process_time() - cpu
    num_tokens = sum(len(output) for outputs in made for group in outputs for output in group)
    return {"cpu_s": total, "cpu_s_by_stage": stopwatch.take(), "num_steps": counts["steps"], "num_tokens": num_tokens}


def operators(folder: str, precision: str, groups: Sequence[Group], num_slots: int, one_by_one: bool) -> dict[str, Any]:
    """ONNX Runtime's profile of both graphs."""
    with tempfile.TemporaryDirectory() as profiles:
        engine = _profiled(folder, precision, num_slots, Path(profiles))
        engine.run(groups, 1, one_by_one)
        sessions = engine.end_profiling()
        vocab_size = engine.manifest.target.vocab_size
        return {name: asdict(reading.read(Path(file), vocab_size)) for name, file in sessions.items()}


class _Profiled(RegardEngine):
    """An engine whose sessions write profiles."""

    @property
    def manifest(self) -> Any:
        return self._runners[0].manifest

    def end_profiling(self) -> dict[str, str]:
        """Ends profiling; returns the files of the profiles by graph."""
        runner = self._runners[0]
        return {"encode": runner._encode.end_profiling(), "step": runner._step.end_profiling()}


def _profiled(folder: str, precision: str, num_slots: int, profiles: Path) -> _Profiled:
    plain = onnxruntime.SessionOptions

    def options() -> Any:
        made = plain()
        made.enable_profiling = True
        made.profile_file_prefix = str(profiles / "profile")
        return made

    onnxruntime.SessionOptions = options
    try:
        return _Profiled(folder, precision, 1, num_slots)
    finally:
        onnxruntime.SessionOptions = plain


if __name__ == "__main__":
    lines.serve({"stages": stages, "operators": operators})
