"""Checks evidence for labels and objects: runs a model without it, and with nothing else (DeYoung et al. 2020)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from regard.arrays import Array, Float32Array
from regard_service.auth.caller import current_caller
from regard_service.bundle import BoxesOutput, LabelsOutput
from regard_service.calls.erasing import Units
from regard_service.calls.followed import Followed
from regard_service.calls.inputs import Input, Part
from regard_service.calls.plan import engine_requests
from regard_service.calls.planner import CallPlanner
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.calls import AnswerCall, AttentionOptions, ClassifyCall, DetectCall
from regard_service.domain.explanations import SHARES, Erasure, Evidence, Explanation
from regard_service.domain.offered_maps import contribution_kinds, offered_kinds
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.runtime.trace import Trace
from regard_service.errors import InvalidInput
from regard_service.generation import ONE_STEP
from regard_service.repository.loader import LoadedModel
from regard_service.validation.texts import unknown_label
from regard_service.validation.violations import Violations

MAX_INPUTS = 16
MAX_RUNS = 2048
"""Of a call."""

RUNS_AT_ONCE = 64
"""Requests that are made at a time: of large pictures they take 40 MB."""

OF_MAPS: tuple[Evidence, ...] = ("rollout", "value_norm", "contribution", "alignment")
NO_TARGET = np.zeros(0, np.int64)  # trace graphs without a decoder read none

ExplainedCall = ClassifyCall | AnswerCall | DetectCall


@dataclass(frozen=True)
class Explained:
    """An input, and what of the model's answer is explained: a label, or objects."""

    part: Part
    followed: tuple[Followed, ...]


class Explainer:
    """Explains labels and objects.

    Args:
        planner: takes permits for the runs.
        pool: its threads run trace graphs and make inputs.
    """

    def __init__(self, planner: CallPlanner, pool: BoundedThreadPool) -> None:
        self._planner = planner
        self._pool = pool

    def check(
        self,
        call: ExplainedCall,
        model: LoadedModel,
        output: LabelsOutput | BoxesOutput,
        num_inputs: int,
        violations: Violations,
    ) -> None:
        """Adds what a model cannot explain, before inputs are read."""
        options = call.explain
        if not options.evidence:
            return
        if isinstance(output, LabelsOutput) and output.of == "token":
            violations.add("explain", f"model {model.name!r} labels tokens; only labels of whole inputs are explained")
        if num_inputs > MAX_INPUTS:
            violations.add("explain", f"is for {num_inputs} inputs; the limit is {MAX_INPUTS}")
        if options.label and options.label not in output.labels:
            violations.add("explain.label", unknown_label(options.label, output.labels, model.name))
        offered = _offered_evidence(model)
        for index, evidence in enumerate(options.evidence):
            if evidence not in offered:
                fault = f"{evidence} is not offered by model {model.name!r}; it offers {', '.join(offered)}"
                violations.add(f"explain.evidence[{index}]", fault)

    async def explain(
        self, call: ExplainedCall, model: LoadedModel, inputs: Sequence[Explained]
    ) -> list[list[tuple[Explanation, ...]]]:
        """Explains what is followed of each input, one after the other.

        Raises:
            InvalidInput: the call would take too many runs.
            Overloaded, DeadlineUnreachable, DeadlinePassed: as a call of as many inputs.
        """
        cases = [_Case(call, model, Units.of(each.part), each.followed) for each in inputs]
        num_runs = sum(case.num_runs for case in cases)
        if num_runs > MAX_RUNS:
            found = f"would take {num_runs} runs of the model; the limit is {MAX_RUNS}"
            fewer = "fewer inputs" if not isinstance(call, DetectCall) else "fewer pictures, a smaller top_k"
            raise InvalidInput.of("explain", f"{found}; what helps: {fewer}, or no occlusion, a run a token or region")
        return [await self._of_input(case) for case in cases]

    async def _of_input(self, case: "_Case") -> list[tuple[Explanation, ...]]:
        evidence = case.call.explain.evidence
        is_traced = bool(case.followed) and bool(set(evidence) & set(OF_MAPS))
        trace = await self._trace(case, evidence) if is_traced else None
        return [
            tuple(
                [
                    await self._of_evidence(case, followed, each, await self._scores(case, followed, each, trace))
                    for each in evidence
                ]
            )
            for followed in case.followed
        ]

    async def _trace(self, case: "_Case", evidence: Sequence[Evidence]) -> Trace:
        trace = partial(
            case.model.runner.trace,
            case.units.part.array,
            NO_TARGET,
            has_contributions="contribution" in evidence,
            sides=("cross",) if isinstance(case.call, DetectCall) else None,
        )
        (made,) = await self._pool.finish([trace])
        return made

    async def _scores(self, case: "_Case", followed: Followed, evidence: Evidence, trace: Trace | None) -> Float32Array:
        """float32 [tokens] or [regions]; 0 of special tokens."""
        units = case.units
        scores = np.zeros(units.num_listed, np.float32)
        indexes = list(units.indexes)
        if evidence == "random":
            scores[indexes] = np.random.default_rng(0).random(len(indexes), np.float32)
        elif evidence == "occlusion":
            makers = [partial(units.without, [index]) for index in indexes]
            scores[indexes] = followed.probability - await self._run(case, followed, makers)
        elif trace is not None:
            row = followed.shares(trace, evidence, units.first)
            scores[indexes] = row[[units.first + index for index in indexes]]
        return scores

    async def _of_evidence(
        self, case: "_Case", followed: Followed, evidence: Evidence, scores: Float32Array
    ) -> Explanation:
        counts = _counts(len(case.units.indexes))
        distinct = list(dict.fromkeys(counts))
        tops = [case.units.strongest(scores.tolist(), count) for count in distinct]
        makers = [partial(case.units.without, top) for top in tops] + [partial(case.units.only, top) for top in tops]
        found = (await self._run(case, followed, makers)).tolist()
        without, alone = (dict(zip(distinct, half, strict=True)) for half in (found[: len(tops)], found[len(tops) :]))
        erasures = tuple(
            Erasure(share, count, without[count], alone[count]) for share, count in zip(SHARES, counts, strict=True)
        )
        num_runs = _num_runs(evidence, len(case.units.indexes))
        return Explanation(evidence, followed.label, followed.probability, scores, erasures, num_runs)

    async def _run(self, case: "_Case", followed: Followed, makers: Sequence[Callable[[], Part]]) -> Float32Array:
        """Runs the model with other inputs; returns the probability with each: float32 [inputs]."""
        found: list[float] = []
        for start in range(0, len(makers), RUNS_AT_ONCE):
            parts = await self._pool.finish([partial(_made, makers[start : start + RUNS_AT_ONCE])])
            requests = case.requests(parts[0])
            outline = replace(requests[0], caller=current_caller())
            with self._planner.permit(case.model, outline, len(requests)) as permit:
                permit.extend(requests)
                results = await permit.run_all(requests)
            outputs = [each.outputs for each in results]
            (probabilities,) = await self._pool.finish([partial(_followed, followed, outputs)])
            found += probabilities
        return np.array(found, np.float32)


@dataclass(frozen=True)
class _Case:
    """An input of whose answer something is explained."""

    call: ExplainedCall
    model: LoadedModel
    units: Units
    followed: tuple[Followed, ...]

    @property
    def num_runs(self) -> int:
        """Runs of the model that all of it takes."""
        of_each = sum(_num_runs(evidence, len(self.units.indexes)) for evidence in self.call.explain.evidence)
        return len(self.followed) * of_each

    def requests(self, parts: Sequence[Part]) -> list[EngineRequest]:
        """Returns requests for inputs, without maps."""
        call = replace(self.call, attention=AttentionOptions())
        return list(engine_requests([Input((part,)) for part in parts], ONE_STEP, call, is_listed=False))


def _offered_evidence(model: LoadedModel) -> tuple[Evidence, ...]:
    """What a model can rank tokens or regions by."""
    offered = offered_kinds(model.manifest)
    of_maps: list[Evidence] = [kind for kind in ("rollout", "alignment") if kind in offered]
    of_maps += ["value_norm"] if of_maps else []
    of_maps += ["contribution"] if "rollout" in offered and contribution_kinds(model.manifest) else []
    return (*of_maps, "occlusion", "random")


def _made(makers: Sequence[Callable[[], Part]]) -> list[Part]:
    return [make() for make in makers]


def _followed(followed: Followed, outputs: Sequence[Mapping[str, Array]]) -> list[float]:
    return [followed.probability_of(each) for each in outputs]


def _counts(num_units: int) -> list[int]:
    """Returns how many units each share is."""
    return [max(1, round(share * num_units)) for share in SHARES]


def _num_runs(evidence: Evidence, num_units: int) -> int:
    """Returns how many times the model reads an input again for a source of evidence."""
    return 2 * len(set(_counts(num_units))) + (num_units if evidence == "occlusion" else 0)
