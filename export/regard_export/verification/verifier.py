"""The gates of an export: the float32 graphs equal the original model, and other precisions lose little against them.

The graphs run in the server's own code (`decoding/variant_engine.py`), on real sentences.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import Ids, VariantEngine
from regard_export.examples.dev_sets import DevSet
from regard_export.references.protocols import Reference, TeacherForced
from regard_export.resources.memory import release_memory
from regard_export.resources.threads import half_of_torch_threads
from regard_export.verification import graph_checks
from regard_export.verification.check_report import Check, CheckReport
from regard_export.verification.dev_quality import Drop, Texts, dev_scores, dev_texts, metric_drop, same_share
from regard_export.verification.input_checks import check_inputs
from regard_export.verification.reference_outputs import ReferenceOutputs, run_reference
from regard_export.verification.task_metrics import TASK_METRICS
from regard_export.verification.versions import library_versions
from regard_export.verification.workload import GREEDY, first_targets, open_workload
from regard_service.bundle import Bundle, Precision
from regard_service.engine.core.result import EngineHypothesis

TIMED_BATCH_SIZES = (1, 32)
MAX_CROWD_SOURCES, MAX_CROWD_STEPS = 4, 24  # that are compared alone and in a batch
MAX_LISTED_SOURCES = 8  # that are decoded with a shortlist
MAX_LIST_DROP = 0.1  # points of the metric that a shortlist may lose against the whole vocabulary

StageCallback = Callable[[str], None]
"""Is called with the title of each stage that begins."""


class Verifier:
    """Verifies a bundle once, against its original model if there is one.

    Args:
        bundle: with `model`, it must hold a float32 variant, which is compared with the original.
        model: its `reference` is the original.
        dev: examples for the quality gate; without any, example inputs are decoded, and only outputs are compared.
        on_stage: is called with the title of each stage.
        comparison_only: precisions that others are compared with, and that are not served.
    """

    def __init__(
        self,
        bundle: Bundle,
        model: SourceModel | None,
        dev: DevSet,
        on_stage: StageCallback,
        comparison_only: Collection[Precision] = (),
    ) -> None:
        self._bundle = bundle
        self._manifest = bundle.manifest
        self._model = model
        self._dev = dev
        self._on_stage = on_stage
        self._comparison_only = comparison_only
        self._metric = TASK_METRICS[self._manifest.task]
        self._workload = open_workload(bundle, dev)
        self._sections: dict[str, list[Check]] = {}
        self._facts: dict[str, Any] = {
            "num_sentences": len(self._workload.sources),
            "versions": dict(library_versions()),
            "step_ms": {},
        }
        self._reference_outputs: ReferenceOutputs | None = None
        self._baseline: _Baseline | None = None

    def run(self) -> CheckReport:
        """Runs every check."""
        if self._model is not None:
            self._run_original(self._model.reference)
        if self._dev:
            self._facts["dev"] = {"num_examples": {key: len(examples) for key, examples in self._dev.items()}}
        precisions = [variant.precision for variant in self._manifest.variants]
        for precision in sorted(precisions, key=lambda p: p != "float32"):
            self._verify_precision(precision)
        outputs = {} if self._baseline is None else self._baseline.texts
        return CheckReport(self._sections, self._facts, outputs)

    def _run_original(self, reference: Reference) -> None:
        self._on_stage("inputs")
        self._facts["reference"] = reference.name
        self._sections["inputs"] = list(check_inputs(self._bundle, reference))
        release_memory()
        self._on_stage("float32: outputs of the original")
        with half_of_torch_threads():
            self._reference_outputs = run_reference(reference, self._workload, self._manifest.target)

    def _verify_precision(self, precision: Precision) -> None:
        """Opens one variant at a time, since each has a model's weights in memory."""
        release_memory()  # of the original, which has run, and of other precisions
        self._facts["step_ms"][precision] = self._step_ms(precision)
        engine = VariantEngine(self._bundle, precision, is_low_memory=precision in self._comparison_only)
        release_memory()  # pages of weights that the engine has copied
        section = self._sections.setdefault(precision, [])
        if self._baseline is not None:
            targets = self._baseline.targets
        elif self._model is not None and self._reference_outputs is not None:
            targets = self._targets(self._compare_with_original(engine, self._model.reference, section))
        else:
            targets = self._targets(self._decode(engine, GREEDY))
        self._on_stage(f"{precision}: soundness, independence of rows")
        forced = engine.teacher_force(self._workload.sources[: len(targets)], targets)
        section += self._check_alone(engine, targets, forced)
        texts = self._dev_texts(precision, engine) if self._dev else {}
        if texts and engine.has_shortlist and precision not in self._comparison_only:
            section += self._check_list_quality(precision, engine, texts)
        if self._baseline is None:
            self._baseline = _Baseline(precision, targets, forced, texts)
        elif self._baseline.precision == "float32":
            section += self._compare_with_float32(precision, self._baseline, forced, texts)

    def _compare_with_original(
        self, engine: VariantEngine, reference: Reference, section: list[Check]
    ) -> Sequence[EngineHypothesis]:
        """Compares the float32 graphs with the original's outputs, then drops these; returns the greedy outputs."""
        self._on_stage("float32: comparison with the original")
        expected, self._reference_outputs = self._reference_outputs, None
        if expected is None:
            raise ValueError("the original has not run, or was compared before")
        section += self._compare_steps(expected, engine)
        expected.forced.clear()  # all logits of whole decodes
        decoded = {name: self._decode(engine, name) for name in self._workload.searches}
        section += self._compare_outputs(reference, expected, decoded)
        return decoded[GREEDY]

    def _decode(self, engine: VariantEngine, name: str) -> list[EngineHypothesis]:
        """The graphs' outputs by the search of this name."""
        generations = self._workload.generations(self._workload.searches[name])
        return list(engine.search_each(self._workload.sources, generations))

    def _compare_steps(self, expected: ReferenceOutputs, engine: VariantEngine) -> Iterator[Check]:
        """Compares along the original's own outputs."""
        sources = self._workload.sources
        yield from graph_checks.compare_memory(engine, expected.memory, sources)
        pairs = zip(sources, expected.targets, strict=False)
        actual = (engine.teacher_force([source], [target])[0] for source, target in pairs)
        yield from graph_checks.compare_steps(expected.forced, actual)

    def _compare_outputs(
        self, reference: Reference, expected: ReferenceOutputs, decoded: Mapping[str, Sequence[EngineHypothesis]]
    ) -> Iterator[Check]:
        """Compares free decodes; the original runs again where they differ."""
        start_id, sources = self._manifest.target.start_id, self._workload.sources
        for name, search in self._workload.searches.items():
            compare = graph_checks.compare_greedy if search.num_beams == 1 else graph_checks.compare_beams
            yield from compare(reference, start_id, sources, expected.outputs[name], decoded[name], title=name)
        first_ids = self._workload.first_ids
        if any(first is not None for first in first_ids):
            outputs = [output for outputs in decoded.values() for output in outputs]
            yield graph_checks.check_forced_first_tokens(first_ids, outputs)

    def _step_ms(self, precision: Precision) -> dict[str, float]:
        """Milliseconds of a step on one thread of this machine, by the number of requests.

        Opens an engine of its own, with one thread, whose memory for many requests is freed afterwards.
        """
        longest = max(self._workload.sources, key=len)
        engine = VariantEngine(self._bundle, precision, is_low_memory=precision in self._comparison_only, num_threads=1)
        return {str(n): round(engine.step_seconds(longest, n) * 1000, 3) for n in TIMED_BATCH_SIZES}

    def _targets(self, greedy: Sequence[EngineHypothesis]) -> Sequence[Ids]:
        """Greedy outputs after the start token, along which precisions are compared."""
        target = self._manifest.target
        return first_targets([[target.start_id, *output.tokens.tolist()] for output in greedy], target.vocab_size)

    def _check_alone(
        self, engine: VariantEngine, targets: Sequence[Ids], forced: Sequence[TeacherForced]
    ) -> Iterator[Check]:
        """Checks that need no other precision."""
        sources = self._workload.sources
        yield from graph_checks.check_soundness(engine, sources[: len(targets)], forced)
        few = [target[:MAX_CROWD_STEPS] for target in targets[:MAX_CROWD_SOURCES]]
        yield from graph_checks.check_row_independence(engine, sources[: len(few)], few)
        if engine.has_shortlist:
            yield from graph_checks.check_shortlist(engine, sources[:MAX_LISTED_SOURCES], MAX_CROWD_STEPS)

    def _dev_texts(self, precision: Precision, engine: VariantEngine) -> Texts:
        """The outputs for the dev examples; their metric becomes a fact."""
        self._on_stage(f"{precision}: quality on dev examples")
        texts = dev_texts(engine, self._bundle, self._dev)
        self._facts["dev"][f"{precision}_{self._metric.name}"] = dev_scores(texts, self._dev, self._metric)
        return texts

    def _check_list_quality(self, precision: Precision, engine: VariantEngine, whole: Texts) -> Iterator[Check]:
        """Compares the outputs among the shortlist's words with those over the whole vocabulary."""
        self._on_stage(f"{precision}: quality with the shortlist")
        listed = dev_texts(engine, self._bundle, self._dev, is_listed=True)
        drop, same = metric_drop(whole, listed, self._dev, self._metric), same_share(whole, listed)
        title = f"shortlist: drop in dev {self._metric.name} against the whole vocabulary"
        yield Check(title, drop.value)
        yield Check(f"{title}: lower end of its 95 % interval", drop.least, MAX_LIST_DROP)
        yield Check("shortlist: share of dev outputs that differ from those over the whole vocabulary", 1 - same)
        self._facts["dev"][f"{precision}_shortlist"] = {**_drop_facts(drop), "same_outputs": round(same, 4)}

    def _compare_with_float32(
        self, precision: Precision, float32: "_Baseline", forced: Sequence[TeacherForced], texts: Texts
    ) -> Iterator[Check]:
        yield from graph_checks.compare_precisions(float32.forced, forced, float32.targets)
        if texts:
            drop = metric_drop(float32.texts, texts, self._dev, self._metric)
            title = f"drop in dev {self._metric.name} against float32"
            yield Check(title, drop.value)
            # Few examples make a wide interval: then only a drop that is no accident fails.
            yield Check(f"{title}: lower end of its 95 % interval", drop.least, self._metric.max_drop)
            self._facts["dev"][f"{precision}_{self._metric.name}_drop"] = _drop_facts(drop)


def _drop_facts(drop: Drop) -> dict[str, float | None]:
    """A drop as the manifest holds it."""
    half_width = round(drop.half_width, 3) if np.isfinite(drop.half_width) else None
    return {"value": round(drop.value, 3), "plus_or_minus": half_width}


@dataclass(frozen=True)
class _Baseline:
    """The first precision's results, which later ones are compared with."""

    precision: Precision
    targets: Sequence[Ids]
    forced: Sequence[TeacherForced]
    texts: Texts
