"""Checks evidence for a label: classifies an input again without it, and with nothing else (DeYoung et al. 2020)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from regard.arrays import Float32Array
from regard_service.auth.caller import current_caller
from regard_service.bundle import LOGITS, LabelsOutput
from regard_service.calls.erasing import Units
from regard_service.calls.inputs import Input, Part
from regard_service.calls.plan import engine_requests
from regard_service.calls.planner import CallPlanner
from regard_service.calls.probabilities import probabilities
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.calls import AttentionOptions, ClassifyCall
from regard_service.domain.explanations import SHARES, Erasure, Evidence, Explanation
from regard_service.domain.offered_maps import contribution_kinds, offered_kinds
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.runtime.trace import Trace
from regard_service.errors import InvalidInput
from regard_service.generation import ONE_STEP
from regard_service.maps.evidence import label_row, shares_of_positions
from regard_service.repository.loader import LoadedModel
from regard_service.validation.texts import unknown_label
from regard_service.validation.violations import Violations

MAX_INPUTS = 16
MAX_RUNS = 2048
"""Of a call."""

RUNS_AT_ONCE = 64
"""Requests that are made at a time: of large pictures they take 40 MB."""

OF_MAPS: tuple[Evidence, ...] = ("rollout", "value_norm", "contribution")
NO_TARGET = np.zeros(0, np.int64)  # trace graphs without a decoder read none


@dataclass(frozen=True)
class Labelled:
    """An input that was labelled.

    Attributes:
        probabilities: float32 [labels].
    """

    part: Part
    probabilities: Float32Array


class Explainer:
    """Explains labels.

    Args:
        planner: takes permits for the runs.
        pool: its threads run trace graphs and make inputs.
    """

    def __init__(self, planner: CallPlanner, pool: BoundedThreadPool) -> None:
        self._planner = planner
        self._pool = pool

    def check(self, call: ClassifyCall, model: LoadedModel, output: LabelsOutput, violations: Violations) -> None:
        """Adds what a model cannot explain, before inputs are read."""
        options = call.explain
        if not options.evidence:
            return
        if output.of == "token":
            violations.add("explain", f"model {model.name!r} labels tokens; only labels of whole inputs are explained")
        num_inputs = len(call.texts) + len(call.images)
        if num_inputs > MAX_INPUTS:
            violations.add("explain", f"is for {num_inputs} inputs; the limit is {MAX_INPUTS}")
        if options.label and options.label not in output.labels:
            violations.add("explain.label", unknown_label(options.label, output.labels, model.name))
        for index, evidence in enumerate(options.evidence):
            is_there = evidence not in OF_MAPS or "rollout" in offered_kinds(model.manifest)
            if evidence == "contribution" and "encoder_self" not in contribution_kinds(model.manifest):
                is_there = False
            if not is_there:
                violations.add(f"explain.evidence[{index}]", f"{evidence} is not offered by model {model.name!r}")

    async def explain(
        self, call: ClassifyCall, model: LoadedModel, output: LabelsOutput, inputs: Sequence[Labelled]
    ) -> list[tuple[Explanation, ...]]:
        """Explains a label of each input, one input after the other.

        Raises:
            InvalidInput: the call would take too many runs, or a text has nothing to erase.
            Overloaded, DeadlineUnreachable, DeadlinePassed: as a call of as many inputs.
        """
        units = [Units.of(each.part) for each in inputs]
        num_runs = sum(_num_runs(evidence, len(each.indexes)) for each in units for evidence in call.explain.evidence)
        if num_runs > MAX_RUNS:
            found = f"would take {num_runs} runs of the model; the limit is {MAX_RUNS}"
            raise InvalidInput.of(
                "explain", f"{found}; what helps: fewer inputs, or no occlusion, a run a token or region"
            )
        explained = []
        for each, own in zip(inputs, units, strict=True):
            label = call.explain.label
            column = output.labels.index(label) if label else int(each.probabilities.argmax())
            case = _Case(call, model, output, own, column, float(each.probabilities[column]))
            explained.append(await self._of_input(case))
        return explained

    async def _of_input(self, case: "_Case") -> tuple[Explanation, ...]:
        evidence = case.call.explain.evidence
        trace = await self._trace(case, evidence) if set(evidence) & set(OF_MAPS) else None
        return tuple([await self._of_evidence(case, each, await self._scores(case, each, trace)) for each in evidence])

    async def _trace(self, case: "_Case", evidence: Sequence[Evidence]) -> Trace:
        trace = partial(case.model.runner.trace, case.units.part.array, NO_TARGET)
        (made,) = await self._pool.finish([partial(trace, has_contributions="contribution" in evidence)])
        return made

    async def _scores(self, case: "_Case", evidence: Evidence, trace: Trace | None) -> Float32Array:
        """float32 [tokens] or [regions]; 0 of special tokens."""
        units = case.units
        scores = np.zeros(units.num_listed, np.float32)
        indexes = list(units.indexes)
        if evidence == "random":
            scores[indexes] = np.random.default_rng(0).random(len(indexes), np.float32)
        elif evidence == "occlusion":
            scores[indexes] = case.probability - await self._run(case, [partial(units.without, [i]) for i in indexes])
        elif trace is not None:
            row = label_row(shares_of_positions(trace, evidence), num_skipped=case.num_skipped)
            scores[indexes] = row[[units.first + index for index in indexes]]
        return scores

    async def _of_evidence(self, case: "_Case", evidence: Evidence, scores: Float32Array) -> Explanation:
        counts = _counts(len(case.units.indexes))
        distinct = list(dict.fromkeys(counts))
        tops = [case.units.strongest(scores.tolist(), count) for count in distinct]
        makers = [partial(case.units.without, top) for top in tops] + [partial(case.units.only, top) for top in tops]
        found = (await self._run(case, makers)).tolist()
        without, alone = (dict(zip(distinct, half, strict=True)) for half in (found[: len(tops)], found[len(tops) :]))
        erasures = tuple(
            Erasure(share, count, without[count], alone[count]) for share, count in zip(SHARES, counts, strict=True)
        )
        num_runs = _num_runs(evidence, len(case.units.indexes))
        return Explanation(evidence, case.label, case.probability, scores, erasures, num_runs)

    async def _run(self, case: "_Case", makers: Sequence[Callable[[], Part]]) -> Float32Array:
        """Classifies inputs again; returns the label's probability of each: float32 [inputs]."""
        found: list[float] = []
        for start in range(0, len(makers), RUNS_AT_ONCE):
            parts = await self._pool.finish([partial(_made, makers[start : start + RUNS_AT_ONCE])])
            requests = case.requests(parts[0])
            outline = replace(requests[0], caller=current_caller())
            with self._planner.permit(case.model, outline, len(requests)) as permit:
                permit.extend(requests)
                results = await permit.run_all(requests)
            found += [case.probability_of(result.outputs[LOGITS]) for result in results]
        return np.array(found, np.float32)


@dataclass(frozen=True)
class _Case:
    """An input whose label is explained.

    Attributes:
        column: of the label.
        probability: of the label, with the whole input.
    """

    call: ClassifyCall
    model: LoadedModel
    output: LabelsOutput
    units: Units
    column: int
    probability: float

    @property
    def label(self) -> str:
        return self.output.labels[self.column]

    @property
    def num_skipped(self) -> int | None:
        """As of `label_row`."""
        return None if self.output.pooling == "class" else self.units.first

    def requests(self, parts: Sequence[Part]) -> list[EngineRequest]:
        """Returns requests for inputs, without maps."""
        call = replace(self.call, attention=AttentionOptions())
        return list(engine_requests([Input((part,)) for part in parts], ONE_STEP, call, is_listed=False))

    def probability_of(self, logits: Float32Array) -> float:
        return float(probabilities(logits.astype(np.float32), is_exclusive=self.output.is_exclusive)[self.column])


def _made(makers: Sequence[Callable[[], Part]]) -> list[Part]:
    return [make() for make in makers]


def _counts(num_units: int) -> list[int]:
    """Returns how many units each share is."""
    return [max(1, round(share * num_units)) for share in SHARES]


def _num_runs(evidence: Evidence, num_units: int) -> int:
    """Returns how many times an input is classified again for a source of evidence."""
    return 2 * len(set(_counts(num_units))) + (num_units if evidence == "occlusion" else 0)
