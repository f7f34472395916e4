"""The gates of an export: the float32 graphs equal the original model, and other precisions lose little by it.

Everything runs in the server's own code (`export/regard_export/decoding/variant_engine.py`), on real sentences.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from itertools import cycle, islice
from typing import Any

from regard_service.bundle import Bundle, Precision
from regard_service.generation import Generation
from regard_service.text.writing import TargetWriter

from regard.arrays import Float32Array
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import Decoded, Ids, ServingGraphs
from regard_export.errors import ExportError
from regard_export.examples.dev_sets import DevSet
from regard_export.examples.input_readers import Inputs, open_inputs
from regard_export.references.reference import Forced, Generated, Reference, Source, half_of_the_threads
from regard_export.resources.memory import give_memory_back
from regard_export.verification import graph_checks
from regard_export.verification.graph_checks import NUM_BEAMS, Check
from regard_export.verification.task_metrics import METRICS

MAX_NEW_TOKENS = 64
NUM_SENTENCES = 16  # whose outputs are compared with the original's, which is slow
MIN_SENTENCES = 4
MAX_WORK = 500_000_000  # sentences times parameters, beyond which there are fewer of them
MAX_LOGITS = 2**23  # that are held at a time: all of every step's, of as many of these sentences as fit
TIMED_BATCHES = (1, 32)
NUM_CROWD_SENTENCES, NUM_CROWD_STEPS = 4, 24  # that are compared alone and in a crowd

GREEDY, BEAMS, DEFAULTS = "greedy", "beams", "the model's own settings"  # ways to decode

Stage = Callable[[str], None]
"""Is told what begins."""


@dataclass(frozen=True)
class Report:
    """All checks, by precision ("inputs" for the way there), and what else was measured."""

    sections: Mapping[str, Sequence[Check]]
    facts: Mapping[str, Any]

    @property
    def failures(self) -> list[str]:
        return [
            f"{title}: {check.name} is {check.value:.4g}, more than {check.limit:.4g}"
            for title, section in self.sections.items()
            for check in section
            if not check.passed
        ]

    def to_json(self) -> dict[str, Any]:
        sections = {
            title: {check.name: check.to_json() for check in section} for title, section in self.sections.items()
        }
        return {"passed": not self.failures, **self.facts, "checks": sections}


class VerificationFailed(ExportError):
    """A gate did not hold."""

    def __init__(self, report: Report) -> None:
        super().__init__("verification failed: " + "; ".join(report.failures))
        self.report = report


class Verifier:
    """Checks a bundle, against the model that it came from where that is at hand.

    Args:
        bundle: with `model`, it must hold a float32 variant, which the original is compared with.
        model: brings the original in its `reference`.
        dev: examples for the quality gate; without any, others stand in and only outputs are compared.
        stage: is told what begins.
        only_compared: precisions that are there for others to be compared with, and are not served.
    """

    def __init__(
        self,
        bundle: Bundle,
        model: SourceModel | None,
        dev: DevSet,
        stage: Stage,
        only_compared: Collection[Precision] = (),
    ) -> None:
        self._only_compared = only_compared
        self._manifest = bundle.manifest
        self._model = model
        self._dev = dev
        self._stage = stage
        self._metric = METRICS[self._manifest.task]
        self._keys = self._manifest.styles or self._manifest.target_languages or ("",)
        self._bundle = bundle
        precisions = [variant.precision for variant in bundle.manifest.variants]
        self._precisions: list[Precision] = sorted(precisions, key=lambda p: p != "float32")
        # One less, since the outputs are also read, behind the start token.
        self._max_new_tokens = min(MAX_NEW_TOKENS, self._manifest.max_target_tokens - 1)
        # Opened where they are wanted: the tokenizers of large vocabularies take tens of megabytes.
        keys, self._sources = map(list, zip(*self._samples(open_inputs(bundle)), strict=True))
        self._first_ids = [self._manifest.target.forced_first_id(key) for key in keys]

    def run(self) -> Report:
        """Runs every check."""
        sections: dict[str, list[Check]] = {}
        facts: dict[str, Any] = {"num_sentences": len(self._sources), "versions": _versions(), "step_ms": {}}
        if self._model is not None:
            self._stage("inputs")
            facts["reference"] = self._model.reference.name
            sections["inputs"] = list(open_inputs(self._bundle).equal(self._model.reference))
            give_memory_back()
            with half_of_the_threads():
                answers = self._ask(self._model.reference)
        if self._dev:
            facts["dev"] = {"num_examples": {key: len(examples) for key, examples in self._dev.items()}}
        first: _Baseline | None = None
        for precision in self._precisions:  # one at a time, since each has a model's weights in memory
            give_memory_back()  # of the original, which has answered, and of other precisions
            facts["step_ms"][precision] = self._speed(precision)
            graphs = ServingGraphs(self._bundle, precision, mapped=precision in self._only_compared)
            give_memory_back()  # pages of weights that were copied
            section = sections.setdefault(precision, [])
            if precision == "float32" and self._model is not None:
                self._stage("float32: comparison with the original")
                section += self._same_steps(answers, graphs)
                answers.forced.clear()  # all logits of whole decodes
                decoded = self._decoded(graphs, list(self._ways))
                section += self._same_outputs(self._model.reference, answers, decoded)
                del answers
            elif first is None:
                decoded = self._decoded(graphs, [GREEDY])
            self._stage(f"{precision}: soundness, independence of rows")
            targets = self._targets(decoded[GREEDY]) if first is None else first.targets
            forced = graphs.force(self._sources[: len(targets)], targets)
            section += self._soundness(graphs, targets, forced)
            scores = self._scores(precision, graphs) if self._dev else {}
            if self._dev:
                facts["dev"][f"{precision}_{self._metric.name}"] = scores
            if first is None:
                first = _Baseline(precision, targets, forced, scores)
            elif first.precision == "float32":
                section += self._against(first, forced, scores)
            del graphs  # before the next ones are opened
        return Report(sections, facts)

    def _samples(self, inputs: Inputs) -> Iterator[tuple[str, Source]]:
        """Sources to decode, languages or styles in turn, each with its own."""
        raw = {key: [example.source for example in examples] for key, examples in self._dev.items()}
        streams = {key: cycle(raw.get(key) or inputs.examples) for key in self._keys}
        affordable = max(MIN_SENTENCES, MAX_WORK // max(1, self._manifest.num_parameters))
        for key in islice(cycle(self._keys), min(NUM_SENTENCES, affordable)):
            yield key, inputs.read(next(streams[key]), key)

    @cached_property
    def _ways(self) -> dict[str, Generation]:
        """How sources are decoded, by what the report calls it."""
        limit = self._max_new_tokens
        ways = {GREEDY: Generation(limit), BEAMS: Generation(limit, num_beams=NUM_BEAMS)}
        defaults = self._defaults(limit)
        return ways if defaults in ways.values() else {**ways, DEFAULTS: defaults}

    def _defaults(self, limit: int) -> Generation:
        """The model's own settings."""
        options = self._manifest.generation
        limit = min(options.max_new_tokens, limit)
        least = min(options.min_new_tokens, limit)
        return Generation(**{**options.model_dump(), "max_new_tokens": limit, "min_new_tokens": least})

    def _each(self, way: Generation) -> list[Generation]:
        """The same for every source, but for the first token that its language forces."""
        return [replace(way, forced_first_id=first) for first in self._first_ids]

    def _ask(self, reference: Reference) -> "_Answers":
        """What the original makes of the sources."""
        self._stage("float32: outputs of the original")
        start_id, sources = self._manifest.target.start_id, self._sources
        outputs = self._generated(reference)
        for name, way in self._ways.items():
            if way.num_beams > 1:
                outputs[name] = [
                    _with_attention(reference, *pair, start_id) for pair in zip(sources, outputs[name], strict=True)
                ]
        targets = self._fitting([[start_id, *output.tokens] for output in outputs[GREEDY]])
        forced = [reference.force(source, target) for source, target in zip(sources, targets, strict=False)]
        return _Answers([reference.memory(source) for source in sources], outputs, targets, forced)

    def _generated(self, reference: Reference) -> dict[str, list[Generated]]:
        """What the original generates, greedily on a thread beside the others: two threads that do not wait for each
        other.
        """
        stopped = threading.Event()

        def generate(name: str) -> list[Generated]:
            each, found = zip(self._sources, self._each(self._ways[name]), strict=True), []
            for source, generation in each:
                if not stopped.is_set():
                    found.append(reference.generate(source, generation))
            give_memory_back()
            return found

        with ThreadPoolExecutor(1) as beside:
            greedy = beside.submit(generate, GREEDY)
            try:
                return {name: generate(name) for name in self._ways if name != GREEDY} | {GREEDY: greedy.result()}
            finally:
                stopped.set()  # when this is interrupted, the other ends with its sentence

    def _decoded(self, graphs: ServingGraphs, names: Sequence[str]) -> dict[str, list[Decoded]]:
        """What the graphs make of the sources, by the way they are decoded."""
        return {name: list(graphs.search_each(self._sources, self._each(self._ways[name]))) for name in names}

    def _same_steps(self, answers: "_Answers", graphs: ServingGraphs) -> Iterator[Check]:
        """The float32 graphs against the original, along its own outputs."""
        yield from graph_checks.memory_equals(graphs, answers.memory, self._sources)
        each = zip(self._sources, answers.targets, strict=False)
        yield from graph_checks.steps_equal(
            answers.forced, (graphs.force([source], [target])[0] for source, target in each)
        )

    def _same_outputs(
        self, reference: Reference, answers: "_Answers", decoded: Mapping[str, Sequence[Decoded]]
    ) -> Iterator[Check]:
        """What was decoded freely against the original, which is asked again where that differs."""
        start_id, sources = self._manifest.target.start_id, self._sources
        for name, way in self._ways.items():
            equal = graph_checks.greedy_equals if way.num_beams == 1 else graph_checks.beams_equal
            yield from equal(reference, start_id, sources, answers.outputs[name], decoded[name], title=name)
        if any(first is not None for first in self._first_ids):
            yield graph_checks.begins_as_forced(
                self._first_ids, [output for each in decoded.values() for output in each]
            )

    def _speed(self, precision: Precision) -> dict[str, float]:
        """Milliseconds of a step on one thread of this machine, by the number of requests.

        Sessions of their own: one thread, and memory for many requests that is given back.
        """
        longest = max(self._sources, key=len)
        graphs = ServingGraphs(self._bundle, precision, mapped=precision in self._only_compared, num_threads=1)
        return {str(n): round(graphs.step_seconds(longest, n) * 1000, 3) for n in TIMED_BATCHES}

    def _targets(self, greedy: Sequence[Decoded]) -> list[Ids]:
        """Greedy outputs behind the start token, along which precisions are compared."""
        return self._fitting([[self._manifest.target.start_id, *d.hypothesis.tokens.tolist()] for d in greedy])

    def _soundness(self, graphs: ServingGraphs, targets: Sequence[Ids], forced: Sequence[Forced]) -> Iterator[Check]:
        """A precision by itself."""
        yield from graph_checks.sound(graphs, self._sources[: len(targets)], forced)
        few = [target[:NUM_CROWD_STEPS] for target in targets[:NUM_CROWD_SENTENCES]]
        yield from graph_checks.rows_independent(graphs, self._sources[: len(few)], few)

    def _against(self, first: "_Baseline", forced: Sequence[Forced], scores: Mapping[str, float]) -> Iterator[Check]:
        """A precision against float32."""
        yield from graph_checks.agrees(first.forced, forced, first.targets)
        if scores:
            title = f"drop in dev {self._metric.name} against float32"
            yield Check(title, _mean(first.scores) - _mean(scores), self._metric.max_drop)

    def _fitting(self, targets: list[Ids]) -> list[Ids]:
        """The first targets, as many as have logits that fit into memory."""
        longest = max(map(len, targets))
        return targets[: max(1, MAX_LOGITS // (longest * self._manifest.target.vocab_size))]

    def _scores(self, precision: Precision, graphs: ServingGraphs) -> dict[str, float]:
        """The task's metric on dev examples, by target language or style, decoded as is the model's default."""
        self._stage(f"{precision}: quality on dev examples")
        inputs, writer = open_inputs(self._bundle), TargetWriter(self._bundle)
        return {key: round(self._score(graphs, key, inputs, writer), 2) for key in self._dev}

    def _score(self, graphs: ServingGraphs, key: str, inputs: Inputs, writer: TargetWriter) -> float:
        """The metric on the dev examples of one target language or style."""
        examples = self._dev[key]
        sources = [inputs.read(example.source, key) for example in examples]
        generation = self._defaults(self._manifest.max_target_tokens)
        generation = replace(generation, forced_first_id=self._manifest.target.forced_first_id(key))
        outputs = graphs.search(sources, generation)
        texts = [
            writer.write(d.hypothesis.tokens, d.hypothesis.logprobs, inputs.text(example.source, key)).text
            for d, example in zip(outputs, examples, strict=True)
        ]
        return self._metric.score(texts, [example.references for example in examples])


@dataclass(frozen=True)
class _Answers:
    """What the original makes of the sources, asked before any graph is opened: each of them is a model in memory.

    Attributes:
        memory: of each source.
        outputs: of each source, by the way they were decoded.
        targets: the first greedy outputs behind the start token, with the passes along them in `forced`.
    """

    memory: list[dict[str, Float32Array]]
    outputs: dict[str, list[Generated]]
    targets: list[Ids]
    forced: list[Forced]


def _with_attention(reference: Reference, source: Source, output: Generated, start_id: int) -> Generated:
    forced = reference.force(source, [start_id, *output.tokens[:-1]])
    return replace(output, cross_attention=forced.cross_attention)


@dataclass(frozen=True)
class _Baseline:
    """What later precisions are compared with."""

    precision: Precision
    targets: list[Ids]
    forced: list[Forced]
    scores: Mapping[str, float]


def _mean(scores: Mapping[str, float]) -> float:
    return sum(scores.values()) / len(scores)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("onnx", "onnxruntime", "torch", "transformers", "tokenizers", "sacrebleu")}
