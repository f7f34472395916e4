"""Rows about one process: CPU time outside ONNX Runtime, and memory."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.harness.process import resident_mb
from benchmarks.harness.spread import Spread
from benchmarks.peers.engines import CTRANSLATE2, REGARD
from benchmarks.peers.jobs import Job
from benchmarks.peers.models import Model
from benchmarks.peers.results import EngineResult, Figure
from benchmarks.peers.rounds import open_engines
from benchmarks.peers.rows import Context, Findings
from regard_service.app.cores import cpu_limit


@dataclass(frozen=True)
class OutsideRow:
    """The share of Regard's CPU time outside ONNX Runtime, with all slots in use."""

    model: Model
    num_slots: int
    job: Callable[[Context], Job]
    needed: float
    goal: float

    def __call__(self, context: Context) -> Findings:
        job, setting = self.job(context), context.engines(self.model).regard(self.num_slots, timed=True)
        with open_engines([setting]) as (running,):
            running.worker.call("run", **job.warm_up.arguments)
            answers = [running.worker.call("run", **job.arguments) for _ in range(context.plan.rounds)]
        shares = [100 * (1 - each["onnxruntime_cpu_s"] / each["cpu_s"]) for each in answers]
        figure = Figure(
            what="% of CPU time", value=Spread.of(shares, 1), needed=self.needed, goal=self.goal, at_most=True
        )
        return Findings((figure,))


@dataclass(frozen=True)
class MemoryRow:
    """Resident memory of each process after full batches, including Python and its libraries."""

    model: Model
    num_slots: int
    job: Callable[[Context], Job]
    needed: float
    goal: float

    def __call__(self, context: Context) -> Findings:
        job, engines = self.job(context), context.engines(self.model)
        settings = [engines.regard(self.num_slots), engines.ctranslate2(cpu_limit(), 1)]
        found: dict[str, list[float]] = {REGARD: [], CTRANSLATE2: []}
        described = {}
        for _ in range(max(2, context.plan.slow_rounds)):
            for setting in settings:
                context.stage(f"memory of {setting.engine}")
                with open_engines([setting]) as (running,):
                    running.worker.call("run", **job.arguments)
                    found[setting.engine].append(resident_mb(running.worker.pid) or 0.0)
                    described[setting.engine] = running
        ratios = [ours / theirs for ours, theirs in zip(found[REGARD], found[CTRANSLATE2], strict=True)]
        what = f"times {CTRANSLATE2}'s memory"
        figure = Figure(what=what, value=Spread.of(ratios, 3), needed=self.needed, goal=self.goal, at_most=True)
        results = [
            EngineResult(
                engine=name,
                setting=described[name].described,
                versions=described[name].versions,
                values={"MB resident": Spread.of(megabytes, 0)},
            )
            for name, megabytes in found.items()
        ]
        return Findings((figure,), tuple(results))
