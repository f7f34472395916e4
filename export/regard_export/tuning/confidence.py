"""Learns from dev examples how sure outputs are: which words are right, and which outputs to doubt.

Half of the examples is for fitting, the other half for the figures that the manifest states. Where the encode graph
computes the novelty of sources, the examples from which that was learned are left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from regard_export.decoding.generations import default_generation
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.examples.dev_sets import DevExample, DevSet
from regard_export.examples.input_readers import open_input_reader
from regard_export.references.protocols import Source, as_array
from regard_export.tuning.corruptions import CORRUPTIONS, DOCUMENT_CORRUPTIONS, corrupted
from regard_export.tuning.logistic import auroc, fit_logistic
from regard_export.tuning.picture_corruptions import PICTURE_CORRUPTIONS, corrupted_pictures
from regard_service.bundle import NOVELTY, Bundle, Confidence, Feature, Precision, RiskModel, WordCalibration
from regard_service.confidence.features import features, length_of, score_of
from regard_service.confidence.words import scored_words
from regard_service.text.given import TargetReader
from regard_service.text.reading import SourceText
from regard_service.text.words import group_words
from regard_service.text.writing import TargetText, TargetWriter

MAX_EXAMPLES, MIN_EXAMPLES = 400, 60  # of a target language
FALSE_ALARM_RATE = 0.05
RARE = 0.02  # share of clean examples beyond the limit of a feature
MAX_POINTS = 24  # of a calibration
NUM_BINS = 10  # of the calibration error

Floats = NDArray[np.float64]


def learn_confidence(bundle: Bundle, precision: Precision, dev: DevSet) -> dict[str, Confidence]:
    """Returns what is learned for each target language or style with enough examples."""
    learner = _Learner(bundle, precision)
    has_novelty = any(spec.name == NOVELTY for spec in bundle.manifest.memory)
    part = slice(1, None, 2) if has_novelty else slice(None)
    chosen = {key: _spread(examples, part) for key, examples in dev.items()}
    return {key: learner.learn(key, each) for key, each in chosen.items() if len(each) >= MIN_EXAMPLES}


def novelty_sources(bundle: Bundle, dev: DevSet) -> Iterator[Source]:
    """Yields the sources from which the novelty is learned, as the encoder reads them."""
    reader = open_input_reader(bundle)
    for key, examples in dev.items():
        for each in _spread(examples, slice(0, None, 2)):
            yield reader.read(each.source, key)


@dataclass(frozen=True)
class _Made:
    """An output with its source.

    Attributes:
        source: None of a picture.
        uncovered: the share that comes from the prefix; None if unknown.
        novelty: of the source; None if the model does not compute it.
    """

    source: SourceText | None
    target: TargetText
    uncovered: float | None = None
    novelty: float | None = None

    @property
    def length(self) -> float:
        """As `length_of`."""
        return length_of(() if self.source is None else self.source.tokens, self.target.tokens)

    def features(self, usual_length: float) -> dict[Feature, float]:
        """As `features`."""
        read = () if self.source is None else self.source.tokens
        return features(read, self.target.tokens, usual_length, self.novelty)


class _Learner:
    def __init__(self, bundle: Bundle, precision: Precision) -> None:
        self._manifest = bundle.manifest
        self._engine = VariantEngine(bundle, precision)
        self._reader, self._writer = open_input_reader(bundle), TargetWriter(bundle)
        self._given = TargetReader(bundle, self._writer) if bundle.manifest.scores_targets else None

    def learn(self, key: str, examples: Sequence[DevExample]) -> Confidence:
        clean = self._outputs(key, [each.source for each in examples], has_shares=True)
        doubtful = [made for sources in self._corrupted(examples) for made in self._outputs(key, sources)]
        outputs = _risk_model(clean, doubtful)
        words = _calibration(clean, [each.references for each in examples])
        if self._given is None:
            return Confidence(words=words, outputs=outputs)
        pairs = self._pairs(key, [each.source for each in examples], examples)
        wrong = [made for sources in self._corrupted(examples) for made in self._pairs(key, sources, examples)]
        wrong += self._pairs(key, [each.source for each in examples], [*examples[1:], *examples[:1]])
        return Confidence(words=words, outputs=outputs, pairs=_risk_model(pairs, wrong))

    def _corrupted(self, examples: Sequence[DevExample]) -> Iterator[Sequence[str | bytes]]:
        """Yields corrupted sources for the examples, by each kind of corruption."""
        files = [each.source for each in examples if isinstance(each.source, bytes)]
        if files:
            yield from (corrupted_pictures(kind, files) for kind in PICTURE_CORRUPTIONS)
            return
        kinds = CORRUPTIONS if self._manifest.task == "translation" else DOCUMENT_CORRUPTIONS
        yield from (corrupted(kind, examples) for kind in kinds)

    def _outputs(self, key: str, sources: Sequence[str | bytes], *, has_shares: bool = False) -> list[_Made]:
        """The model's outputs, as it serves them by default."""
        manifest = self._manifest
        texts = [self._reader.source_text(source, key) for source in sources]
        read = [
            as_array(self._reader.read(source, key)) if text is None else text.array
            for source, text in zip(sources, texts, strict=True)
        ]
        generation = default_generation(manifest, manifest.max_target_tokens)
        generation = replace(generation, forced_first_id=manifest.target.forced_first_id(key))
        decoded = self._engine.results(
            read, [generation] * len(read), attention=False, is_listed=self._engine.has_shortlist
        )
        made = []
        for array, text, result in zip(read, texts, decoded, strict=True):
            output = result.hypotheses[0]
            written = self._writer.write(output.tokens, output.logprobs, text)
            share = self._engine.source_share(array, output.tokens) if has_shares else None
            uncovered = None if share is None else 1 - share
            made.append(_Made(text, written, uncovered, result.novelty))
        return made

    def _pairs(self, key: str, sources: Sequence[str | bytes], examples: Sequence[DevExample]) -> list[_Made]:
        """The references of some examples, scored for these texts."""
        made = []
        for source, example in zip(sources, examples, strict=True):
            text = self._reader.source_text(source, key)
            given = self._given.read(example.references[0], field="", key=key) if self._given else None
            if text is not None and given is not None:
                written = given.with_logprobs(self._engine.score(text.array, given.ids, given.num_forced))
                made.append(_Made(text, written))
        return made


def _spread(examples: Sequence[DevExample], part: slice) -> list[DevExample]:
    """Examples from a part of the set, that have something to read."""
    readable = [each for each in examples if isinstance(each.source, bytes) or each.source.split()][part]
    step = max(1, len(readable) // MAX_EXAMPLES)
    return readable[::step][:MAX_EXAMPLES]


def _risk_model(clean: Sequence[_Made], doubtful: Sequence[_Made]) -> RiskModel:
    usual = float(np.median([made.length for made in clean]))
    good, bad = ([made.features(usual) for made in each] for each in (clean, doubtful))
    names = list(good[0])
    fit, kept = slice(0, None, 2), slice(1, None, 2)
    weights, intercept = fit_logistic(_table(good[fit], names), _table(bad[fit], names))
    by_name: dict[Feature, float] = dict(zip(names, weights.tolist(), strict=True))
    good_scores, bad_scores = (
        np.array([score_of(each, by_name, intercept) for each in found]) for found in (good, bad)
    )
    limits: dict[Feature, float] = {name: _quantile([each[name] for each in good], 1 - RARE) for name in names}
    uncovered = [each.uncovered for each in clean if each.uncovered is not None]
    if uncovered:
        limits["uncovered"] = _quantile(uncovered, 1 - RARE / 4)
    return RiskModel(
        usual_length=round(usual, 4),
        intercept=intercept,
        weights=by_name,
        threshold=_quantile(good_scores[fit], 1 - FALSE_ALARM_RATE),
        limits=limits,
        false_alarm_rate=FALSE_ALARM_RATE,
        auroc=round(auroc(good_scores[kept], bad_scores[kept]), 4),
        num_examples=len(good[kept]),
    )


def _table(found: Sequence[Mapping[Feature, float]], names: Sequence[Feature]) -> Floats:
    """float64 [examples, features]."""
    return np.array([[each[name] for name in names] for each in found])


def _quantile(values: Sequence[float] | Floats, share: float) -> float:
    return round(float(np.quantile(values, share)), 6)


def _calibration(made: Sequence[_Made], references: Sequence[Sequence[str]]) -> WordCalibration:
    """Fits by isotonic regression over groups of equally many words."""
    judged = [list(_judged(each, reference)) for each, reference in zip(made, references, strict=True)]
    fit, kept = (np.array([word for words in judged[start::2] for word in words]).reshape(-1, 2) for start in (0, 1))
    groups = np.array_split(fit[np.argsort(fit[:, 0], kind="stable")], min(MAX_POINTS, max(1, len(fit) // 20)))
    logprobs = [float(group[:, 0].mean()) for group in groups]
    probabilities = _isotonic([float(group[:, 1].mean()) for group in groups], [len(group) for group in groups])
    error = _calibration_error(np.interp(kept[:, 0], logprobs, probabilities), kept[:, 1])
    return WordCalibration(
        logprobs=tuple(round(value, 5) for value in logprobs),
        probabilities=tuple(round(value, 5) for value in probabilities),
        expected_calibration_error=round(error, 4),
        num_words=len(kept),
    )


def _judged(made: _Made, references: Sequence[str]) -> Iterator[tuple[float, float]]:
    """Yields each word's log-probability, and 1 if a reference has the word, as often as the output, else 0."""
    left: Counter[str] = Counter()
    for reference in references:
        left |= Counter(_words_of(reference))
    for word in scored_words(made.target.text, made.target.tokens):
        spelled = made.target.text[slice(*word.span)].casefold()
        is_right = left[spelled] > 0
        left[spelled] -= is_right
        yield word.logprob, float(is_right)


def _words_of(text: str) -> Iterator[str]:
    """The words of a text, as `scored_words` cuts outputs."""
    places = [(i, i + 1) for i, character in enumerate(text) if not character.isspace()]
    for group in group_words(text, places):
        yield text[places[group.start][0] : places[group.end - 1][1]].casefold()


def _isotonic(values: Sequence[float], weights: Sequence[int]) -> list[float]:
    """The ascending values nearest to these, by pooling adjacent violators (Ayer et al. 1955)."""
    blocks: list[tuple[float, int, int]] = []  # mean, weight, number of values
    for value, weight in zip(values, weights, strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] >= block[0]:
            mean, size, count = blocks.pop()
            total = size + block[1]
            block = ((mean * size + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    return [mean for mean, _, count in blocks for _ in range(count)]


def _calibration_error(predicted: Floats, right: Floats) -> float:
    """The mean distance of stated and found probability over bins of equally many words (Guo et al. 2017, eq. 3)."""
    order = np.argsort(predicted, kind="stable")
    bins = [each for each in np.array_split(order, NUM_BINS) if len(each)]
    return float(sum(len(b) * abs(predicted[b].mean() - right[b].mean()) for b in bins) / len(predicted))
