"""The gates of an export without a decoder: the float32 graph equals the original model, and other precisions lose
little against it. The graphs run in the server's own runner and core.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from regard.arrays import Array, Float32Array
from regard_export.errors import ExportError
from regard_export.examples.encoder_sources import sample_encoder_sources
from regard_export.examples.samples import num_affordable_sources
from regard_export.examples.sentences import EXAMPLE_SENTENCES, TRICKY_TEXTS
from regard_export.references.protocols import (
    EncoderReference,
    GatedReference,
    QueryReference,
    Source,
    TextEncoderReference,
    as_array,
)
from regard_export.resources.memory import release_memory
from regard_export.resources.threads import half_of_torch_threads
from regard_export.verification.check_report import Check, CheckReport
from regard_export.verification.differences import larger, max_difference, spread
from regard_export.verification.input_checks import check_normalization
from regard_export.verification.versions import library_versions
from regard_service.bundle import (
    BOX_LOGITS,
    BOXES,
    LOGITS,
    BoxesOutput,
    Bundle,
    LabelsOutput,
    PiecesOutput,
    Precision,
    VectorOutput,
)
from regard_service.engine.core.decode import decode
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import ONE_STEP
from regard_service.text.reading import SourceReader

Outputs = Sequence[Mapping[str, Array]]
"""Of each source, by name."""

# Of float32 against the original, in units of the outputs' `spread`; and of a source in a batch against itself alone.
OUTPUT_TOLERANCE = 1e-4
ATTENTION_TOLERANCE = 1e-4
# Of another precision against float32, on average over sources (tokens, masks).
MAX_COSINE_LOSS = 0.02
MAX_PROBABILITY_LOSS = 0.05
MAX_LOGPROB_DROP = 0.05
MAX_BOX_LOSS = 0.02  # of a side's place, in parts of the picture

MIN_SOURCES, MAX_SOURCES = 4, 16
MAX_WORK = 500_000_000  # sources times parameters, beyond which there are fewer sources
MAX_TRACED = 4
NUM_TIMED = 8


class EncoderVerifier:
    """Verifies a bundle once, against its original model if there is one.

    Args:
        bundle: with a reference, it must hold a float32 variant.
    """

    def __init__(self, bundle: Bundle, reference: EncoderReference | None, on_stage: Callable[[str], None]) -> None:
        self._bundle, self._manifest = bundle, bundle.manifest
        self._reference = reference
        self._on_stage = on_stage
        number = num_affordable_sources(
            self._manifest, min_sources=MIN_SOURCES, max_sources=MAX_SOURCES, max_work=MAX_WORK
        )
        self._sources = sample_encoder_sources(bundle, number)
        self._sections: dict[str, list[Check]] = {}
        self._facts: dict[str, Any] = {
            "num_sentences": len(self._sources),
            "versions": dict(library_versions()),
            "encode_ms": {},
        }

    def run(self) -> CheckReport:
        """Runs every check."""
        if self._reference is not None:
            self._facts["reference"] = self._reference.name
            self._on_stage("inputs")
            self._sections["inputs"] = list(self._check_inputs(self._reference))
        precisions = [variant.precision for variant in self._manifest.variants]
        float32: Outputs | None = None
        for precision in sorted(precisions, key=lambda each: each != "float32"):
            float32 = self._verify(precision, float32)
        return CheckReport(self._sections, self._facts)

    def _check_inputs(self, reference: EncoderReference) -> Iterator[Check]:
        if self._manifest.image_source is not None:
            yield check_normalization(self._manifest.image_source)
        if isinstance(reference, TextEncoderReference):
            yield from _check_texts(self._bundle, reference)

    def _verify(self, precision: Precision, float32: Outputs | None) -> Outputs | None:
        """Checks one precision. Returns the outputs of float32, if it was verified."""
        release_memory()
        runner = self._open(precision)
        section = self._sections.setdefault(precision, [])
        self._on_stage(f"{precision}: soundness, independence of rows")
        alone = [self._outputs(runner, [source])[0] for source in self._sources]
        section += _check_alone(alone, self._outputs(runner, self._sources))
        self._facts["encode_ms"][precision] = _encode_ms(runner, self._sources[0])
        if precision == "float32":
            if self._reference is not None:
                self._on_stage("float32: comparison with the original")
                with half_of_torch_threads():
                    section += self._compare_with_original(self._reference, runner, alone)
            return alone
        if float32 is not None:
            section += self._compare_with_float32(float32, alone)
        return float32

    def _open(self, precision: Precision) -> Runner:
        variant = next(each for each in self._manifest.variants if each.precision == precision)
        try:
            return Runner(self._bundle, variant)
        except MemoryError:
            raise
        except Exception as error:  # a graph that cannot be loaded, or contradicts the manifest
            raise ExportError(str(error)) from error

    @staticmethod
    def _outputs(runner: Runner, sources: Sequence[Source]) -> Outputs:
        requests = [EngineRequest(as_array(source), ONE_STEP) for source in sources]
        return [result.outputs for result in decode(runner, requests)]

    def _compare_with_original(self, reference: EncoderReference, runner: Runner, actual: Outputs) -> Iterator[Check]:
        expected = [reference.outputs(source) for source in self._sources]
        if isinstance(self._manifest.output, PiecesOutput):
            yield from _compare_masks([each["masked_logits"] for each in expected], actual)
        else:
            for name in expected[0]:
                unit = spread([each[name] for each in expected])
                difference = 0.0
                for e, a in zip(expected, actual, strict=True):
                    difference = larger(difference, max_difference(a[name], e[name]) / unit)
                yield Check(f"{name}: largest difference from the original", difference, OUTPUT_TOLERANCE)
        if runner.variant.trace is not None:
            yield from self._compare_attention(reference, runner)

    def _compare_attention(self, reference: EncoderReference, runner: Runner) -> Iterator[Check]:
        differences: dict[str, float] = {}
        for source in self._sources[:MAX_TRACED]:
            trace = runner.trace(as_array(source), np.zeros(1, np.int64))
            pairs = {"self-attention": (trace.encoder_self, reference.attention(source))}
            if isinstance(reference, QueryReference):
                pairs["the queries' attention"] = trace.cross, reference.cross_attention(source)
            if isinstance(reference, GatedReference):
                expected_gates = reference.gates(source)
                for name, found in (("channel", trace.channel), ("spatial", trace.spatial)):
                    pairs[f"{name} gates"] = found, expected_gates.get(name)
            for kind, (found, expected) in pairs.items():
                if expected is not None:
                    differences[kind] = larger(differences.get(kind, 0.0), max_difference(found, expected))
        for kind, difference in differences.items():
            yield Check(f"trace: largest difference of {kind}", difference, ATTENTION_TOLERANCE)

    def _compare_with_float32(self, float32: Outputs, actual: Outputs) -> Iterator[Check]:
        output = self._manifest.output
        if isinstance(output, VectorOutput):
            name = f"pooled_{output.pooling}"
            losses = [1 - _cosine(e[name], a[name]) for e, a in zip(float32, actual, strict=True)]
            yield Check("average loss of cosine similarity with float32's vectors", _mean(losses), MAX_COSINE_LOSS)
        elif isinstance(output, LabelsOutput):
            pairs = [
                tuple(_probabilities(each[LOGITS], is_exclusive=output.is_exclusive) for each in pair)
                for pair in zip(float32, actual, strict=True)
            ]
            losses = [float(np.abs(e - a).max(axis=-1).mean()) for e, a in pairs]
            yield Check("average of the largest difference of probabilities", _mean(losses), MAX_PROBABILITY_LOSS)
        elif isinstance(output, BoxesOutput):
            yield from _box_losses(float32, actual, output)
        elif isinstance(output, PiecesOutput):
            yield Check(
                "average drop of the best piece's log-probability", _mask_drop(float32, actual), MAX_LOGPROB_DROP
            )


def _box_losses(float32: Outputs, actual: Outputs, output: BoxesOutput) -> Iterator[Check]:
    """Compares the scores of all queries, and the boxes weighed by their scores: those of nothing do not count."""
    scores, sides = [], []
    for e, a in zip(float32, actual, strict=True):
        expected, found = (_probabilities(each[BOX_LOGITS], is_exclusive=output.is_exclusive) for each in (e, a))
        scores.append(float(np.abs(expected - found).max(axis=-1).mean()))
        weights = expected[:, : len(output.labels)].max(axis=-1)
        moved = np.abs(e[BOXES].astype(np.float32) - a[BOXES].astype(np.float32)).max(axis=-1)
        sides.append(float((weights * moved).sum() / max(float(weights.sum()), 1e-6)))
    yield Check("average of the largest difference of queries' scores", _mean(scores), MAX_PROBABILITY_LOSS)
    yield Check("average of the largest difference of boxes, weighed by score", _mean(sides), MAX_BOX_LOSS)


def _check_texts(bundle: Bundle, reference: TextEncoderReference) -> Iterator[Check]:
    """Compares the ids of texts with the original's; special tokens that users type are text."""
    reader, num_wrong, num_typed = SourceReader(bundle), 0, 0

    def special(ids: Sequence[int]) -> Counter[int]:
        return Counter(i for i in ids if i in reference.special_ids)

    for text in (*TRICKY_TEXTS, *EXAMPLE_SENTENCES):
        read = reader.read_if_any(text, field="text", key="", truncation="truncate")
        if read is None or read.num_truncated:
            continue
        ids, expected = read.ids.tolist(), reference.tokenize(text)
        is_typed = bool(special(expected) - special(ids))  # the original may take "</s>" in a text for the end
        num_typed += ids != expected and is_typed
        num_wrong += ids != expected and not is_typed
    yield Check("inputs tokenized differently", num_wrong, 0)
    yield Check("inputs in which only the original reads typed special tokens", num_typed)


def _check_alone(alone: Outputs, together: Outputs) -> Iterator[Check]:
    """Checks that outputs are numbers, and that a source's do not depend on others."""
    values = [array for outputs in alone for array in outputs.values()]
    num_bad = sum(not np.isfinite(array).all() for array in values)
    yield Check("outputs that are no numbers", num_bad, 0)
    difference = 0.0
    for one, other in zip(alone, together, strict=True):
        for name, array in one.items():
            if array.dtype.kind == "f":
                difference = larger(difference, max_difference(other[name], array) / spread([array]))
    yield Check("largest difference of a source in a batch from itself alone", difference, OUTPUT_TOLERANCE)


def _compare_masks(expected: Sequence[Float32Array], actual: Outputs) -> Iterator[Check]:
    """Compares the candidates' logits, and the candidates themselves where theirs are not equal."""
    unit, logits, normalizers, num_wrong = spread(expected), 0.0, 0.0, 0
    for e, a in zip(expected, actual, strict=True):
        ids, found = a["candidate_ids"], a["candidate_logits"]
        logits = larger(logits, max_difference(found, np.take_along_axis(e, ids, axis=1)) / unit)
        best = -np.sort(-e, axis=1)[:, : ids.shape[1]]
        num_wrong += int((np.abs(found - best) > OUTPUT_TOLERANCE * unit).any(axis=1).sum())
        normalizers = larger(normalizers, max_difference(a["log_normalizer"], _log_sum_exp(e)) / unit)
    yield Check("masks: largest difference of logits from the original", logits, OUTPUT_TOLERANCE)
    yield Check("masks: largest difference of log-normalizers", normalizers, OUTPUT_TOLERANCE)
    yield Check("masks whose best pieces differ", num_wrong, 0)


def _log_sum_exp(logits: Float32Array) -> Float32Array:
    largest = logits.max(axis=1, keepdims=True)
    result: Float32Array = (largest + np.log(np.exp(logits - largest).sum(axis=1, keepdims=True)))[:, 0]
    return result


def _mask_drop(float32: Outputs, actual: Outputs) -> float:
    """How much less likely float32's best piece of each mask is, in nats; a piece beyond the candidates is as likely as
    the last.
    """
    drops = []
    for e, a in zip(float32, actual, strict=True):
        for row, best in enumerate(e["candidate_ids"][:, 0]):
            places = np.flatnonzero(a["candidate_ids"][row] == best)
            place = int(places[0]) if len(places) else -1
            before = float(e["candidate_logits"][row, 0] - e["log_normalizer"][row])
            drops.append(before - float(a["candidate_logits"][row, place] - a["log_normalizer"][row]))
    return _mean(drops)


def _probabilities(logits: Array, *, is_exclusive: bool) -> Float32Array:
    logits = logits.astype(np.float32)
    if not is_exclusive:
        odds: Float32Array = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return odds
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    found: Float32Array = exponents / exponents.sum(axis=-1, keepdims=True)
    return found


def _cosine(one: Array, other: Array) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _encode_ms(runner: Runner, source: Source) -> float:
    """Milliseconds of a source on one thread of this machine: the minimum of several, since the machine may be busy."""
    seconds = []
    for _ in range(NUM_TIMED):
        began = perf_counter()
        runner.encode([as_array(source)])
        seconds.append(perf_counter() - began)
    return round(min(seconds) * 1000, 3)
