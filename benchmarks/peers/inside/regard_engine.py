"""A worker with Regard's engine (runner, scheduler, search), without the server."""

import asyncio
import importlib.metadata
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.peers.inside.engine import MAX_NEW_TOKENS, Engine, Group, Outputs, pixels, serve
from regard_service.bundle import Bundle
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver.engine import Engine as Regard
from regard_service.engine.policy.policy import EngineConfig
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import Generation

GENEROUS = 1_000_000


class Clock:
    """Sums the CPU time within ONNX Runtime, which computes on the calling thread."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def watch(self, kind: type, name: str) -> None:
        """Times a method of ONNX Runtime's session."""
        call: Callable[..., Any] = getattr(kind, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.thread_time()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds.append(time.thread_time() - started)  # append is atomic, += is not

        setattr(kind, name, timed)


class RegardEngine(Engine):
    """Submits a job to the scheduler at once, or group by group.

    Args:
        folder: the bundle.
        num_slots: maximum number of slots of a running batch.
        timed: measure the CPU time within ONNX Runtime, which costs some time itself.
    """

    def __init__(self, folder: str, precision: str, num_workers: int, num_slots: int, timed: bool = False) -> None:
        self._clock = Clock()
        if timed:
            for name in ("run", "run_with_iobinding"):
                self._clock.watch(onnxruntime.InferenceSession, name)
        self.bundle = bundle = Bundle.load(Path(folder))
        variant = next(each for each in bundle.manifest.variants if each.precision == precision)
        self._open = partial(Runner, bundle, variant, num_cores=num_workers)
        self._runners = [self._open()]
        self._regard = Regard(EngineConfig(num_workers, max_slots=num_slots, max_queue=GENEROUS))
        self._end_ids = set(bundle.manifest.target.end_ids)
        names = ("regard", "onnxruntime", "numpy")
        self.versions = {name: importlib.metadata.version(name) for name in names}
        self.setting = f"{precision}, {num_workers} workers, batches of {num_slots} slots"

    def run(
        self,
        groups: Sequence[Group],
        num_beams: int,
        one_by_one: bool,
        attention: bool = False,
        copies: int = 1,
    ) -> list[Outputs]:
        """Runs the job on `copies` of the model at a time; with `attention` keeps all cross-attention."""
        while len(self._runners) < copies:
            self._runners.append(self._open())
        return asyncio.run(self._run([*groups] * copies, num_beams, one_by_one, attention, copies))

    def extras(self) -> dict[str, float]:
        """CPU seconds within ONNX Runtime; 0 unless `timed`."""
        seconds, self._clock.seconds[:] = sum(self._clock.seconds), []
        return {"onnxruntime_cpu_s": seconds}

    async def _run(
        self, groups: Sequence[Group], num_beams: int, one_by_one: bool, attention: bool, copies: int
    ) -> list[Outputs]:
        calls = [
            self._group(group, self._runners[number % copies], num_beams, attention)
            for number, group in enumerate(groups)
        ]
        return [await call for call in calls] if one_by_one else await asyncio.gather(*calls)

    async def _group(self, group: Group, runner: Runner, num_beams: int, attention: bool) -> Outputs:
        length = group["new_tokens"]
        limit = length or min(MAX_NEW_TOKENS, runner.manifest.max_target_tokens)
        generation = Generation(max_new_tokens=limit, num_beams=num_beams)
        requests = [EngineRequest(_source(source), generation, attention=attention) for source in group["sources"]]
        results = await asyncio.gather(*(self._regard.generate(runner, request) for request in requests))
        return [self._stripped(result.hypotheses[0].tokens.tolist()) for result in results]

    def _stripped(self, ids: list[int]) -> list[int]:
        return ids[:-1] if ids[-1] in self._end_ids else ids


def _source(source: Any) -> Any:
    return pixels(source) if isinstance(source, int) else np.array(source, np.int64)


if __name__ == "__main__":
    serve(RegardEngine)
