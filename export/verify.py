"""The gates of an export: the float32 graphs equal the original model, and other precisions lose little by it.

Everything runs in the server's own code (`export/serving.py`), on real sentences.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle, islice
from typing import Any

from export import checks
from export.checks import NUM_BEAMS, Check
from export.dev import DevSet
from export.errors import ExportError
from export.families.source import SourceModel
from export.inputs import open_inputs
from export.quality import METRICS
from export.reference import Forced, Source, half_of_the_threads
from export.serving import Ids, ServingGraphs
from models.bundle import Bundle, Precision
from service.engine.request import Generation
from service.pipelines.text import TargetWriter

MAX_NEW_TOKENS = 64
NUM_SENTENCES = 16  # whose outputs are compared with the original's, which is slow
MAX_LOGITS = 2**25  # that are held at a time: all of every step's, of as many of these sentences as fit
TIMED_BATCHES = (1, 32)
NUM_CROWD_SENTENCES = 4  # that are compared alone and in a crowd

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
    """

    def __init__(self, bundle: Bundle, model: SourceModel | None, dev: DevSet, stage: Stage) -> None:
        self._manifest = bundle.manifest
        self._model = model
        self._dev = dev
        self._stage = stage
        self._inputs, self._writer = open_inputs(bundle), TargetWriter(bundle)
        self._metric = METRICS[self._manifest.task]
        self._keys = self._manifest.styles or self._manifest.target_languages or ("",)
        precisions = sorted((v.precision for v in bundle.manifest.variants), key=lambda p: p != "float32")
        self._graphs = {precision: ServingGraphs(bundle, precision) for precision in precisions}  # float32 first
        # One less, since the outputs are also read, behind the start token.
        self._max_new_tokens = min(MAX_NEW_TOKENS, self._manifest.max_target_tokens - 1)
        self._sources = list(self._samples())

    def run(self) -> Report:
        """Runs every check."""
        sections: dict[str, list[Check]] = {}
        facts: dict[str, Any] = {"num_sentences": len(self._sources), "versions": _versions()}
        if self._model is not None:
            self._stage("inputs")
            facts["reference"] = self._model.reference.name
            sections["inputs"] = list(self._inputs.equal(self._model.reference))
            with half_of_the_threads():
                sections["float32"] = list(self._parity(self._model))
        facts["step_ms"] = {precision: self._speed(graphs) for precision, graphs in self._graphs.items()}
        for title, section in self._soundness():
            sections.setdefault(title, []).extend(section)
        if self._dev:
            facts["dev"] = {"num_examples": {key: len(examples) for key, examples in self._dev.items()}}
            for title, scores, section in self._quality():
                facts["dev"][f"{title}_{self._metric.name}"] = scores
                sections[title].extend(section)
        return Report(sections, facts)

    def _samples(self) -> Iterator[Source]:
        """Sources to decode, languages or styles in turn."""
        raw = {key: [example.source for example in examples] for key, examples in self._dev.items()}
        streams = {key: cycle(raw.get(key) or self._inputs.examples) for key in self._keys}
        for key in islice(cycle(self._keys), NUM_SENTENCES):
            yield self._inputs.read(next(streams[key]), key)

    def _parity(self, model: SourceModel) -> Iterator[Check]:
        """The float32 graphs against the original."""
        reference, graphs, sources = model.reference, self._graphs["float32"], self._sources
        start_id, limit = self._manifest.target.start_id, self._max_new_tokens
        self._stage("float32: outputs of the original")
        greedy = [reference.generate(source, num_beams=1, max_new_tokens=limit) for source in sources]
        beams = [reference.generate(source, num_beams=NUM_BEAMS, max_new_tokens=limit) for source in sources]
        self._stage("float32: comparison with the original")
        yield from checks.memory_equals(graphs, reference, sources)
        targets = self._fitting([[start_id, *output.tokens] for output in greedy])
        forced = [reference.force(source, target) for source, target in zip(sources, targets, strict=False)]
        yield from checks.steps_equal(forced, graphs.force(sources[: len(targets)], targets))
        decoded = list(graphs.decode(sources, num_beams=1, max_new_tokens=limit))
        yield from checks.greedy_equals(reference, start_id, sources, greedy, decoded)
        decoded = list(graphs.decode(sources, num_beams=NUM_BEAMS, max_new_tokens=limit))
        yield from checks.beams_equal(reference, start_id, sources, beams, decoded)

    def _speed(self, graphs: ServingGraphs) -> dict[str, float]:
        """Milliseconds of a step on one thread of this machine, by the number of requests."""
        longest = max(self._sources, key=len)
        return {str(n): round(graphs.step_seconds(longest, n) * 1000, 3) for n in TIMED_BATCHES}

    def _soundness(self) -> Iterator[tuple[Precision, list[Check]]]:
        """Every precision by itself, along the first one's greedy outputs, and against float32."""
        decoded = next(iter(self._graphs.values())).decode(
            self._sources, num_beams=1, max_new_tokens=self._max_new_tokens
        )
        targets = self._fitting([[self._manifest.target.start_id, *d.hypothesis.tokens.tolist()] for d in decoded])
        sources = self._sources[: len(targets)]
        plain: list[Forced] | None = None
        for precision, graphs in self._graphs.items():
            self._stage(f"{precision}: soundness, independence of rows")
            forced = graphs.force(sources, targets)
            section = list(checks.sound(graphs, sources, forced))
            crowd = slice(NUM_CROWD_SENTENCES)
            section += checks.rows_independent(graphs, sources[crowd], targets[crowd])
            if precision == "float32":
                plain = forced
            elif plain is not None:
                section += checks.agrees(plain, forced, targets)
            yield precision, section

    def _fitting(self, targets: list[Ids]) -> list[Ids]:
        """The first targets, as many as have logits that fit into memory."""
        longest = max(map(len, targets))
        return targets[: max(1, MAX_LOGITS // (longest * self._manifest.target.vocab_size))]

    def _quality(self) -> Iterator[tuple[Precision, dict[str, float], list[Check]]]:
        """The task's metric of every precision on dev examples, decoded as is the model's default."""
        plain: float | None = None
        for precision, graphs in self._graphs.items():
            self._stage(f"{precision}: quality on dev examples")
            scores = {key: round(self._score(graphs, key), 2) for key in self._dev}
            mean = sum(scores.values()) / len(scores)
            if precision == "float32":
                plain = mean
            title = f"drop in dev {self._metric.name} against float32"
            drop = [] if plain is None else [Check(title, plain - mean, self._metric.max_drop)]
            yield precision, scores, drop

    def _score(self, graphs: ServingGraphs, key: str) -> float:
        """The metric on the dev examples of one target language or style."""
        examples = self._dev[key]
        sources = [self._inputs.read(example.source, key) for example in examples]
        options = self._manifest.generation
        limit = min(options.max_new_tokens, self._manifest.max_target_tokens)
        outputs = graphs.search(sources, Generation(**{**options.model_dump(), "max_new_tokens": limit}))
        texts = [
            self._writer.write(d.hypothesis.tokens, d.hypothesis.logprobs, self._inputs.text(example.source, key)).text
            for d, example in zip(outputs, examples, strict=True)
        ]
        return self._metric.score(texts, [example.references for example in examples])


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("onnx", "onnxruntime", "torch", "transformers", "tokenizers", "sacrebleu")}
