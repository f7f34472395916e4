"""The task's metric on dev examples, decoded with the model's own settings, and how sure a drop of it is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from regard_export.decoding.generations import default_generation
from regard_export.decoding.variant_engine import VariantEngine
from regard_export.examples.dev_sets import DevExample, DevSet
from regard_export.examples.input_readers import InputReader, open_input_reader
from regard_export.verification.task_metrics import TaskMetric
from regard_service.bundle import Bundle
from regard_service.text.writing import TargetWriter

Texts = Mapping[str, Sequence[str]]
"""Outputs for the dev examples, by target language or style."""

MAX_BLOCKS = 10  # of the jackknife
# Student's t for 95 % in the middle, by degrees of freedom, from 1 on.
T_VALUES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class Drop:
    """How much of a metric is lost, and the half of its 95 % interval's width; infinite for a single example."""

    value: float
    half_width: float

    @property
    def least(self) -> float:
        """The lower end of the interval."""
        return self.value - self.half_width


def dev_texts(engine: VariantEngine, bundle: Bundle, dev: DevSet, *, is_listed: bool = False) -> Texts:
    """Decodes the dev examples. Args: is_listed: whether steps choose among the words of the shortlist."""
    # Opened only here: the tokenizers of large vocabularies take tens of megabytes.
    reader, writer = open_input_reader(bundle), TargetWriter(bundle)
    return {key: _decode(engine, key, dev[key], reader, writer, is_listed=is_listed) for key in dev}


def dev_scores(texts: Texts, dev: DevSet, metric: TaskMetric) -> dict[str, float]:
    """The metric by target language or style."""
    return {key: round(_score(metric, texts[key], dev[key]), 2) for key in dev}


def metric_drop(before: Texts, after: Texts, dev: DevSet, metric: TaskMetric) -> Drop:
    """The average drop over languages or styles. Its error is estimated from the same examples under both.

    A delete-a-group jackknife (Efron and Tibshirani 1993, section 11.5): the drop without each of `MAX_BLOCKS` blocks.
    """
    drops, errors, freedom = [], [], len(T_VALUES)
    for key, examples in dev.items():
        value, error, num_blocks = _key_drop(before[key], after[key], examples, metric)
        drops.append(value)
        errors.append(error)
        freedom = min(freedom, max(1, num_blocks - 1))
    error = math.sqrt(sum(error**2 for error in errors)) / len(errors)
    return Drop(sum(drops) / len(drops), T_VALUES[freedom - 1] * error)


def same_share(before: Texts, after: Texts) -> float:
    """The share of outputs that are the same under both."""
    pairs = [pair for key in before for pair in zip(before[key], after[key], strict=True)]
    return sum(one == other for one, other in pairs) / max(1, len(pairs))


def _key_drop(
    before: Sequence[str], after: Sequence[str], examples: Sequence[DevExample], metric: TaskMetric
) -> tuple[float, float, int]:
    """The drop, its standard error and the number of blocks."""

    def drop(kept: Sequence[int]) -> float:
        chosen = [examples[i] for i in kept]
        return _score(metric, [before[i] for i in kept], chosen) - _score(metric, [after[i] for i in kept], chosen)

    num_blocks = min(MAX_BLOCKS, len(examples))
    whole = drop(range(len(examples)))
    if num_blocks < 2:
        return whole, math.inf, num_blocks
    if list(before) == list(after):
        return whole, 0.0, num_blocks
    without = [drop([i for i in range(len(examples)) if i % num_blocks != block]) for block in range(num_blocks)]
    return whole, float(np.sqrt((num_blocks - 1) * np.var(without))), num_blocks


def _decode(
    engine: VariantEngine,
    key: str,
    examples: Sequence[DevExample],
    reader: InputReader,
    writer: TargetWriter,
    *,
    is_listed: bool,
) -> list[str]:
    """The outputs for the dev examples of one target language or style."""
    manifest = engine.manifest
    sources = [reader.read(example.source, key) for example in examples]
    generation = default_generation(manifest, manifest.max_target_tokens)
    generation = replace(generation, forced_first_id=manifest.target.forced_first_id(key))
    outputs = engine.search(sources, generation, attention=False, is_listed=is_listed)
    return [
        writer.write(output.tokens, output.logprobs, reader.source_text(example.source, key)).text
        for output, example in zip(outputs, examples, strict=True)
    ]


def _score(metric: TaskMetric, texts: Sequence[str], examples: Sequence[DevExample]) -> float:
    return metric.score(texts, [example.references for example in examples])
