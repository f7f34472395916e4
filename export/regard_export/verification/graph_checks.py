"""Checks of a bundle's graphs, a function per property."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_export.decoding.variant_engine import Ids, VariantEngine, attention_of
from regard_export.references.protocols import Generated, Reference, Source, TeacherForced
from regard_export.verification.check_report import Check
from regard_export.verification.differences import larger, max_difference, spread
from regard_service.bundle import Precision
from regard_service.engine.core.result import EngineHypothesis
from regard_service.generation import Generation

# Of float32 against the original, which sums in another order; of memory and logits in units of their `spread`.
MEMORY_TOLERANCE = 1e-3
LOGITS_TOLERANCE = 1e-3
ATTENTION_TOLERANCE = 1e-4
SCORE_TOLERANCE = 1e-4
# Of a row in a batch against the same row alone: kernels of some CPUs sum in another order for another number of rows.
INDEPENDENCE_TOLERANCE = 1e-4
# A sum may round to a neighbouring float16, and a few of them add up: in units of float16's spacing at the largest
# logit. A value that leaks from another row is larger by orders, and NaN from a poisoned one.
INDEPENDENCE_FLOAT16_STEPS = 8
# Of the least precise sums, those of float16.
ROW_SUM_TOLERANCE = 1e-3
# Of a quantized precision against float32: the average of nats per token that float32 chose.
MAX_LOGPROB_DROP = 0.05

NUM_BEAMS = 4
MIN_POISONED_ROWS, MAX_POISONED_ROWS = 8, 32
MAX_CROWD_LOGITS = 2**20  # of a step, beyond which there are fewer poisoned rows


def compare_memory(
    engine: VariantEngine, expected: Sequence[Mapping[str, Float32Array]], sources: Sequence[Source]
) -> Iterator[Check]:
    """Compares encode's output for all sources in one batch with the original's `memory`, computed one by one."""
    memory, difference = engine.encode(sources), 0.0
    for row, tensors in enumerate(expected):
        for name, tensor in tensors.items():
            within = tuple(slice(size) for size in tensor.shape)  # values behind a source are arbitrary
            difference = max(difference, max_difference(memory[name][row][within], tensor) / spread([tensor]))
    yield Check("memory: largest difference from the original", difference, MEMORY_TOLERANCE)


def compare_steps(expected: Sequence[TeacherForced], actual: Iterable[TeacherForced]) -> Iterator[Check]:
    """Compares every position of whole decodes, teacher-forced along the original's outputs.

    Args:
        actual: may be computed lazily.
    """
    unit = spread([e.logits for e in expected])
    logits = normalizer = attention = 0.0
    for e, a in zip(expected, actual, strict=True):
        logits = larger(logits, max_difference(a.logits, e.logits) / unit)
        normalizer = larger(normalizer, max_difference(a.log_normalizer, e.log_normalizer) / unit)
        attention = larger(attention, max_difference(a.cross_attention, e.cross_attention))
    yield Check("step: largest difference of logits", logits, LOGITS_TOLERANCE)
    yield Check("step: largest difference of log-normalizers", normalizer, LOGITS_TOLERANCE)
    yield Check("step: largest difference of cross-attention", attention, ATTENTION_TOLERANCE)


def compare_greedy(
    reference: Reference,
    start_id: int,
    sources: Sequence[Source],
    expected: Sequence[Generated],
    actual: Sequence[EngineHypothesis],
    *,
    title: str = "greedy",
) -> Iterator[Check]:
    """Compares greedy outputs token by token; where the original's two best tokens are equal, either is right."""
    num_wrong = 0
    for source, e, a in zip(sources, expected, actual, strict=True):
        tokens = a.tokens.tolist()
        if tokens == e.tokens:
            continue
        t = next((t for t, (x, y) in enumerate(zip(tokens, e.tokens, strict=False)) if x != y), None)
        if t is None:  # one is the beginning of the other
            num_wrong += 1
            continue
        logits = reference.teacher_force(source, [start_id, *e.tokens[:t]]).logits[-1]
        num_wrong += abs(logits[tokens[t]] - logits[e.tokens[t]]) > LOGITS_TOLERANCE
    yield Check(f"{title}: outputs that differ", num_wrong, 0)


def compare_beams(
    reference: Reference,
    start_id: int,
    sources: Sequence[Source],
    expected: Sequence[Generated],
    actual: Sequence[EngineHypothesis],
    *,
    title: str = "beams",
) -> Iterator[Check]:
    """Compares beam search's best hypotheses with their scores and cross-attention.

    Args:
        expected: their cross-attention is computed here if it is None.
    """
    num_wrong, score, attention = 0, 0.0, 0.0
    for source, e, a in zip(sources, expected, actual, strict=True):
        score_difference = abs(a.score - (e.score or 0.0))
        score = max(score, score_difference)
        tokens, cross = a.tokens.tolist(), e.cross_attention
        num_wrong += tokens != e.tokens and score_difference > SCORE_TOLERANCE
        if cross is None or tokens != e.tokens:
            cross = reference.teacher_force(source, [start_id, *tokens[:-1]]).cross_attention
        attention = max(attention, max_difference(attention_of(a), cross))
    yield Check(f"{title}: outputs that differ", num_wrong, 0)
    yield Check(f"{title}: largest difference of scores", score, SCORE_TOLERANCE)
    yield Check(f"{title}: largest difference of cross-attention", attention, ATTENTION_TOLERANCE)


def check_forced_first_tokens(first_ids: Sequence[int | None], decoded: Sequence[EngineHypothesis]) -> Check:
    """Checks that outputs begin with their language's forced token, which graphs and original might both ignore.

    Args:
        first_ids: of each source; None if no token is forced.
        decoded: of all sources, once or several times in a row.
    """
    num_wrong = sum(
        first is not None and output.tokens[0] != first
        for first, output in zip(cycle(first_ids), decoded, strict=False)
    )
    return Check("outputs that do not begin with their language's forced token", num_wrong, 0)


def check_soundness(
    engine: VariantEngine, sources: Sequence[Source], forced: Sequence[TeacherForced]
) -> Iterator[Check]:
    """Checks that numbers are finite, and that attention is a distribution over the source."""
    arrays = [array for f in forced for array in (f.logits, f.log_normalizer, f.cross_attention)]
    # Banned tokens have a logit of -inf; nothing else may be infinite.
    not_finite = sum(int(np.isnan(array).sum() + np.isposinf(array).sum()) for array in arrays)
    not_finite += sum(int((~np.isfinite(array)).sum()) for array in engine.encode(sources).values())
    off = max(max_difference(f.cross_attention.sum(-1), np.ones(1, np.float32)) for f in forced)
    yield Check("numbers that are not finite", not_finite, 0)
    yield Check("cross-attention: largest distance of a row's sum from 1", off, ROW_SUM_TOLERANCE)


def check_row_independence(engine: VariantEngine, sources: Sequence[Source], targets: Sequence[Ids]) -> Iterator[Check]:
    """Compares each source alone with all of them in a batch whose other rows hold NaN."""
    num_affordable = MAX_CROWD_LOGITS // engine.manifest.target.vocab_size - len(sources)
    num_poisoned = min(MAX_POISONED_ROWS, max(MIN_POISONED_ROWS, num_affordable))
    crowd = engine.teacher_force(sources, targets, num_poisoned_rows=num_poisoned)
    alone = [engine.teacher_force([source], [target])[0] for source, target in zip(sources, targets, strict=True)]
    tolerance = _independence_tolerance(engine.variant.precision, alone)
    difference, num_other = 0.0, 0
    for one, among in zip(alone, crowd, strict=True):
        difference = larger(difference, max_difference(among.logits, one.logits))
        num_other += _num_better(one.logits, among.logits, tolerance)
    yield Check("rows: largest difference of logits, alone and in a crowd", difference, tolerance)
    yield Check("rows: best tokens that differ, alone and in a crowd", num_other, 0)


def _independence_tolerance(precision: Precision, alone: Sequence[TeacherForced]) -> float:
    """How far a logit in a batch may be from the same logit alone."""
    if precision != "float16":
        return INDEPENDENCE_TOLERANCE
    largest = max(np.abs(one.logits[np.isfinite(one.logits)]).max(initial=0.0) for one in alone)
    return max(INDEPENDENCE_TOLERANCE, INDEPENDENCE_FLOAT16_STEPS * float(np.spacing(np.float16(largest))))


def _num_better(alone: Float32Array, among: Float32Array, tolerance: float) -> int:
    """Positions whose best token in the batch is worse alone than the best one there, by more than the tolerance."""
    chosen = np.take_along_axis(alone, among.argmax(-1, keepdims=True), -1)[..., 0]
    return int((alone.max(-1) - chosen > tolerance).sum())


def check_shortlist(engine: VariantEngine, sources: Sequence[Source], max_new_tokens: int) -> Iterator[Check]:
    """Checks greedy search among the shortlist's words: against all logits, and of a source alone and in a batch.

    How many outputs differ from those over the whole vocabulary is informative only.
    """
    generation, start_id = Generation(max_new_tokens), engine.manifest.target.start_id
    together = list(engine.search(sources, generation, is_listed=True))
    whole = list(engine.search(sources, generation))
    num_other, difference = 0, 0.0
    for source, output in zip(sources, together, strict=True):
        alone = next(engine.search([source], generation, is_listed=True))
        num_other += alone.tokens.tolist() != output.tokens.tolist()
        forced = engine.teacher_force([source], [[start_id, *output.tokens[:-1].tolist()]])[0]
        expected = _logprobs_among(forced.logits, engine.allowed_words(source), output.tokens)
        difference = larger(difference, max_difference(output.logprobs, expected))
    num_changed = sum(x.tokens.tolist() != y.tokens.tolist() for x, y in zip(together, whole, strict=True))
    yield Check("shortlist: outputs that differ, alone and in a batch", num_other, 0)
    yield Check("shortlist: largest difference of log-probabilities from all logits", difference, LOGITS_TOLERANCE)
    yield Check("shortlist: outputs that differ from those over the whole vocabulary", num_changed)


def _logprobs_among(logits: Float32Array, words: Int64Array, tokens: Int64Array) -> Float32Array:
    """The log-probabilities of tokens among a list of words, float32 [target]; logits: [target, vocabulary]."""
    listed = logits[:, words].astype(np.float64)
    largest = listed.max(-1)
    normalizer = largest + np.log(np.exp(listed - largest[:, None]).sum(-1))
    chosen: Float32Array = (logits[np.arange(len(tokens)), tokens] - normalizer).astype(np.float32)
    return chosen


def compare_precisions(
    plain: Sequence[TeacherForced], quantized: Sequence[TeacherForced], targets: Sequence[Ids]
) -> Iterator[Check]:
    """Compares a quantized precision with float32, along the same outputs.

    Args:
        targets: start token first; the logits at position t are for token t + 1.
    """
    drops, same = [], []
    for p, q, target in zip(plain, quantized, targets, strict=True):
        chosen = np.array(target[1:])[:, None]
        before, after = (np.take_along_axis(f.logits[:-1], chosen, 1)[:, 0] - f.log_normalizer[:-1] for f in (p, q))
        drops.append(before - after)
        same.append(p.logits.argmax(-1) == q.logits.argmax(-1))
    yield Check("average loss of log-probability per token", float(np.concatenate(drops).mean()), MAX_LOGPROB_DROP)
    yield Check("share of tokens that differ from float32", 1 - float(np.concatenate(same).mean()))
