"""The task's metric on dev examples, decoded with the model's own settings."""

from collections.abc import Sequence
from dataclasses import replace

from regard_export.decoding.variant_engine import VariantEngine
from regard_export.examples.dev_sets import DevExample, DevSet
from regard_export.examples.input_readers import InputReader, open_input_reader
from regard_export.verification.task_metrics import TaskMetric
from regard_export.verification.workload import default_generation
from regard_service.bundle import Bundle
from regard_service.text.writing import TargetWriter


def dev_scores(engine: VariantEngine, bundle: Bundle, dev: DevSet, metric: TaskMetric) -> dict[str, float]:
    """The metric by target language or style."""
    # Opened only here: the tokenizers of large vocabularies take tens of megabytes.
    reader, writer = open_input_reader(bundle), TargetWriter(bundle)
    return {key: round(score_examples(engine, key, dev[key], reader, writer, metric), 2) for key in dev}


def score_examples(
    engine: VariantEngine,
    key: str,
    examples: Sequence[DevExample],
    reader: InputReader,
    writer: TargetWriter,
    metric: TaskMetric,
) -> float:
    """The metric on the dev examples of one target language or style."""
    manifest = engine.manifest
    sources = [reader.read(example.source, key) for example in examples]
    generation = default_generation(manifest, manifest.max_target_tokens)
    generation = replace(generation, forced_first_id=manifest.target.forced_first_id(key))
    texts = [
        writer.write(output.tokens, output.logprobs, reader.source_text(example.source, key)).text
        for output, example in zip(engine.search(sources, generation, attention=False), examples, strict=True)
    ]
    return metric.score(texts, [example.references for example in examples])
