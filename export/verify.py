"""The gates of an export: the float32 graphs equal the original model, and other precisions lose little by it.

Everything runs in the server's own code (`export/serving.py`), on real sentences.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import cycle, islice
from typing import Any

import sacrebleu

from export import checks
from export.checks import NUM_BEAMS, Check
from export.errors import ExportError
from export.families.source import SourceModel
from export.reference import Forced, half_of_the_threads
from export.sentences import EXAMPLES, TRICKY_TEXTS
from export.serving import Ids, ServingGraphs
from models.bundle import Bundle, Precision
from service.pipelines.text import SourceReader, TargetWriter

MAX_BLEU_DROP = 0.3
MAX_NEW_TOKENS = 64
NUM_SENTENCES = 16  # whose outputs are compared with the original's, which is slow
MAX_LOGITS = 2**25  # that are held at a time: all of every step's, of as many of these sentences as fit
TIMED_BATCHES = (1, 32)
NUM_CROWD_SENTENCES = 4  # that are compared alone and in a crowd

DevPairs = Mapping[str, Sequence[tuple[str, str]]]
"""Sentences with their translations (or texts with their summaries), by target language or style."""

Stage = Callable[[str], None]
"""Is told what begins."""


@dataclass(frozen=True)
class Report:
    """All checks, by precision ("text" for the tokenizer's), and what else was measured."""

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
        pairs: dev sentences for the quality gate; without any, examples stand in and only outputs are compared.
        stage: is told what begins.
    """

    def __init__(self, bundle: Bundle, model: SourceModel | None, pairs: DevPairs, stage: Stage) -> None:
        self._manifest = bundle.manifest
        self._model = model
        self._pairs = pairs
        self._stage = stage
        self._reader, self._writer = SourceReader(bundle), TargetWriter(bundle)
        self._keys = self._manifest.target_languages or self._manifest.styles or ("",)
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
            self._stage("text")
            reference = self._model.reference
            facts["reference"] = reference.name
            sections["text"] = list(
                checks.texts_equal(reference, self._reader, self._writer, TRICKY_TEXTS + EXAMPLES, self._keys)
            )
            with half_of_the_threads():
                sections["float32"] = list(self._parity(self._model))
        facts["step_ms"] = {precision: self._speed(graphs) for precision, graphs in self._graphs.items()}
        for title, section in self._soundness():
            sections.setdefault(title, []).extend(section)
        if self._pairs:
            facts["dev"] = {"num_sentences": {key: len(pairs) for key, pairs in self._pairs.items()}}
            for title, scores, section in self._quality():
                facts["dev"][f"{title}_bleu"] = scores
                sections[title].extend(section)
        return Report(sections, facts)

    def _samples(self) -> Iterator[Ids]:
        """Sources to decode, languages or styles in turn."""
        texts = {key: [source for source, _ in pairs] for key, pairs in self._pairs.items()}
        streams = {key: cycle(texts.get(key) or EXAMPLES) for key in self._keys}
        for key in islice(cycle(self._keys), NUM_SENTENCES):
            yield self._read(next(streams[key]), key)

    def _read(self, text: str, key: str) -> list[int]:
        ids: list[int] = self._reader.read(text, field="text", key=key, truncation="truncate").ids.tolist()
        return ids

    def _parity(self, model: SourceModel) -> Iterator[Check]:
        """The float32 graphs against the original."""
        reference, graphs, sources = model.reference, self._graphs["float32"], self._sources
        start_id, limit = self._manifest.target.start_id, self._max_new_tokens
        self._stage("float32: outputs of the original")
        greedy = [reference.generate(source, num_beams=1, max_new_tokens=limit) for source in sources]
        beams = [reference.generate(source, num_beams=NUM_BEAMS, max_new_tokens=limit) for source in sources]
        self._stage("float32: comparison with the original")
        yield from checks.memory_equals(graphs, reference, model.description, sources)
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
        """BLEU of every precision on dev sentences, decoded as is the model's default."""
        plain: float | None = None
        for precision, graphs in self._graphs.items():
            self._stage(f"{precision}: quality on dev sentences")
            scores = {key: round(self._bleu(graphs, key), 2) for key in self._pairs}
            mean = sum(scores.values()) / len(scores)
            if precision == "float32":
                plain = mean
            drop = [] if plain is None else [Check("drop in dev BLEU against float32", plain - mean, MAX_BLEU_DROP)]
            yield precision, scores, drop

    def _bleu(self, graphs: ServingGraphs, key: str) -> float:
        """SacreBLEU on the dev sentences of one target language or style."""
        sources = [self._read(source, key) for source, _ in self._pairs[key]]
        options = self._manifest.generation
        limit = min(options.max_new_tokens, self._manifest.max_target_tokens)
        outputs = graphs.decode(sources, num_beams=options.num_beams, max_new_tokens=limit)
        texts = [self._writer.write(d.hypothesis.tokens, d.hypothesis.logprobs).text for d in outputs]
        return sacrebleu.corpus_bleu(texts, [[target for _, target in self._pairs[key]]]).score


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("onnx", "onnxruntime", "torch", "transformers", "tokenizers", "sacrebleu")}
