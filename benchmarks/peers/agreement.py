"""Compares the outputs of engines: float32 tokens must agree, int8 tokens may differ by rounding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from benchmarks.harness.spread import Spread
from benchmarks.peers.engines import CTRANSLATE2, OPTIMUM, Engines, Setting, open_engine
from benchmarks.peers.jobs import Job
from benchmarks.peers.models import Model
from benchmarks.peers.results import EngineResult, Figure
from benchmarks.peers.rows import Context, Findings
from regard_service.app.cores import cpu_limit

Outputs = list[list[int]]


@dataclass(frozen=True)
class AgreementRow:
    """Compares every engine's greedy outputs with those of transformers in float32."""

    model: Model
    job: Callable[[Context], Job]

    def __call__(self, context: Context) -> Findings:
        job, engines = self.job(context), context.engines(self.model)
        _, reference = outputs(engines.transformers(cpu_limit()), job, context)
        figures, results = [], []
        for setting in self._settings(engines, context):
            result, found = outputs(setting, job, context)
            same, prefix = agreement(found, reference)
            name = f"{setting.engine}, {result.setting.split(',')[0]}"
            figures.append(Figure(what=f"{name}: % of outputs alike", value=Spread.of([100 * same], 1)))
            figures.append(
                Figure(what=f"{name}: % of tokens before the first that differs", value=Spread.of([100 * prefix], 1))
            )
            results.append(result)
        return Findings(tuple(figures), tuple(results))

    def _settings(self, engines: Engines, context: Context) -> list[Setting]:
        precisions = ("int8",) if self.model.shipped else ("float32", "int8")
        found = [engines.regard(32, precision=precision) for precision in precisions]
        if self.model.in_ctranslate2 and CTRANSLATE2 in context.peers:
            found += [engines.ctranslate2(cpu_limit(), 1, compute_type=kind) for kind in ("float32", "int8")]
        if OPTIMUM in context.peers:
            found.append(engines.optimum(cpu_limit()))
        return found


def outputs(setting: Setting, job: Job, context: Context) -> tuple[EngineResult, Outputs]:
    """Runs a job on one engine; returns its outputs in the order of the sources."""
    with open_engine(setting) as running:
        context.stage(f"outputs of {running.engine}: {running.described}")
        answer = running.worker.call("run", **job.arguments, outputs=True)
        result = EngineResult(engine=running.engine, setting=running.described, versions=running.versions, values={})
    return result, [output for group in answer["outputs"] for output in group]


def agreement(found: Sequence[Sequence[int]], reference: Sequence[Sequence[int]]) -> tuple[float, float]:
    """The share of equal outputs, and the share of tokens before the first difference."""
    pairs = list(zip(found, reference, strict=True))
    same = sum(list(ours) == list(theirs) for ours, theirs in pairs) / len(pairs)
    before = [sum(1 for _ in takewhile(lambda both: both[0] == both[1], zip(*pair, strict=False))) for pair in pairs]
    return same, sum(before) / max(1, sum(len(theirs) for _, theirs in pairs))
