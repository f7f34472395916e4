"""What is checked of a bundle's graphs, one function a property; each yields checks with their limits."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray
from regard_service.text.reading import SourceReader
from regard_service.text.writing import TargetWriter

from regard.arrays import Float32Array
from regard_export.decoding.variant_engine import Decoded, Ids, ServingGraphs
from regard_export.references.reference import Forced, Generated, Reference, Source, TextReference

# Of float32 against the original, whose sums run in another order; memory and logits in units of their `spread`.
MEMORY_TOLERANCE = 1e-3
LOGITS_TOLERANCE = 1e-3
ATTENTION_TOLERANCE = 1e-4
SCORE_TOLERANCE = 1e-4
# Of a row in a crowd against the same row alone.
INDEPENDENCE_TOLERANCE = 1e-4
# Of float16 sums, the coarsest.
ROW_SUM_TOLERANCE = 1e-3
# Of a quantized precision against float32: nats a token that float32 chose, on average.
MAX_LOGPROB_DROP = 0.05

NUM_BEAMS = 4
MIN_NEIGHBOURS, MAX_NEIGHBOURS = 8, 32
MAX_CROWD_LOGITS = 2**20  # of a step, beyond which there are fewer neighbours


@dataclass(frozen=True)
class Check:
    """One comparison: passes while `value` is at most `limit`; without a limit it is only told."""

    name: str
    value: float
    limit: float | None = None

    @property
    def passed(self) -> bool:
        return self.limit is None or bool(self.value <= self.limit)  # NaN fails

    def to_json(self) -> dict[str, Any]:
        value = float(f"{self.value:.4g}") if np.isfinite(self.value) else str(self.value)
        return {"value": value, "limit": self.limit, "passed": self.passed}


def memory_equals(
    graphs: ServingGraphs, expected: Sequence[Mapping[str, Float32Array]], sources: Sequence[Source]
) -> Iterator[Check]:
    """What encode computes, all sources in one batch, against the original's `memory`, one by one."""
    memory, worst = graphs.encode(sources), 0.0
    for row, tensors in enumerate(expected):
        for name, tensor in tensors.items():
            within = tuple(slice(size) for size in tensor.shape)  # behind a source's length stands anything
            worst = max(worst, difference(memory[name][row][within], tensor) / spread([tensor]))
    yield Check("memory: largest difference from the original", worst, MEMORY_TOLERANCE)


def steps_equal(expected: Sequence[Forced], actual: Iterable[Forced]) -> Iterator[Check]:
    """Every position of whole decodes, teacher-forced along the original's own outputs.

    Args:
        actual: may be computed one by one as they are wanted.
    """
    unit = spread([e.logits for e in expected])
    logits = normalizer = attention = 0.0
    for e, a in zip(expected, actual, strict=True):
        logits = _worse(logits, difference(a.logits, e.logits) / unit)
        normalizer = _worse(normalizer, difference(a.log_normalizer, e.log_normalizer) / unit)
        attention = _worse(attention, difference(a.cross_attention, e.cross_attention))
    yield Check("step: largest difference of logits", logits, LOGITS_TOLERANCE)
    yield Check("step: largest difference of log-normalizers", normalizer, LOGITS_TOLERANCE)
    yield Check("step: largest difference of cross-attention", attention, ATTENTION_TOLERANCE)


def greedy_equals(
    reference: Reference,
    start_id: int,
    sources: Sequence[Source],
    expected: Sequence[Generated],
    actual: Sequence[Decoded],
    *,
    title: str = "greedy",
) -> Iterator[Check]:
    """Greedy outputs, token for token; where the original's two best are equal, either will do."""
    num_wrong = 0
    for source, e, a in zip(sources, expected, actual, strict=True):
        tokens = a.hypothesis.tokens.tolist()
        if tokens != e.tokens:
            shared = next((t for t, (x, y) in enumerate(zip(tokens, e.tokens, strict=False)) if x != y), None)
            if shared is None:
                num_wrong += 1
                continue
            logits = reference.force(source, [start_id, *e.tokens[:shared]]).logits[-1]
            num_wrong += abs(logits[tokens[shared]] - logits[e.tokens[shared]]) > LOGITS_TOLERANCE
    yield Check(f"{title}: outputs that differ", num_wrong, 0)


def beams_equal(
    reference: Reference,
    start_id: int,
    sources: Sequence[Source],
    expected: Sequence[Generated],
    actual: Sequence[Decoded],
    *,
    title: str = "beams",
) -> Iterator[Check]:
    """Beam search's best hypotheses with their scores, and their attention along the beams that made them.

    Args:
        expected: with their cross-attention, or the original is asked for it here.
    """
    num_wrong, score, attention = 0, 0.0, 0.0
    for source, e, a in zip(sources, expected, actual, strict=True):
        off = abs(a.hypothesis.score - (e.score or 0.0))
        score = max(score, off)
        tokens, along = a.hypothesis.tokens.tolist(), e.cross_attention
        num_wrong += tokens != e.tokens and off > SCORE_TOLERANCE
        if along is None or tokens != e.tokens:
            along = reference.force(source, [start_id, *tokens[:-1]]).cross_attention
        attention = max(attention, difference(a.cross_attention, along))
    yield Check(f"{title}: outputs that differ", num_wrong, 0)
    yield Check(f"{title}: largest difference of scores", score, SCORE_TOLERANCE)
    yield Check(f"{title}: largest difference of cross-attention", attention, ATTENTION_TOLERANCE)


def begins_as_forced(first_ids: Sequence[int | None], decoded: Sequence[Decoded]) -> Check:
    """That outputs begin with the token that their language forces, on which both sides might agree to be wrong.

    Args:
        first_ids: of each source; None where nothing is forced.
        decoded: of all sources, once or several times over.
    """
    num_wrong = sum(
        first is not None and output.hypothesis.tokens[0] != first
        for first, output in zip(cycle(first_ids), decoded, strict=False)
    )
    return Check("outputs that do not begin as their language has it", num_wrong, 0)


def texts_equal(
    reference: TextReference,
    reader: SourceReader,
    writer: TargetWriter,
    texts: Sequence[str],
    keys: Sequence[str],
    language: str = "",
) -> Iterator[Check]:
    """The shipped tokenizer against the training's: ids of a text, and text of ids.

    Texts hold special tokens as a user may type them, which must be text.
    """
    num_wrong = num_unknown = num_typed = num_wrong_texts = 0

    def special(ids: Sequence[int]) -> Counter[int]:
        return Counter(filter(writer.is_special, ids))

    for text in texts:
        for key in keys:
            ids = reference.tokenize(text, key)
            read = reader.read(text, field="text", key=key, truncation="truncate", language=language)
            differs = read.num_truncated == 0 and read.ids.tolist() != ids
            is_unknown = differs and reference.unknown_id in ids
            # The original may take "</s>" in a text for the end; the server never does.
            is_typed = differs and not is_unknown and bool(special(ids) - special(read.ids.tolist()))
            num_unknown += is_unknown
            num_typed += is_typed
            num_wrong += differs and not is_unknown and not is_typed
        ids = [i for i in ids if writer.piece(i)]  # a source's vocabulary may have more
        written = writer.write(np.array(ids, np.int64), np.zeros(len(ids), np.float32))
        # Around tokens that are no text, a space may stand at either end.
        num_wrong_texts += written.text.strip() != reference.detokenize(ids).strip()
    yield Check("inputs tokenized differently", num_wrong, 0)
    yield Check("inputs whose special tokens only the original takes for such", num_typed)
    if reference.unknown_id is not None:
        # The original drops whole runs of characters of which it knows some.
        yield Check("inputs tokenized differently where the original drops characters", num_unknown)
    yield Check("outputs written differently", num_wrong_texts, 0)


def sound(graphs: ServingGraphs, sources: Sequence[Source], forced: Sequence[Forced]) -> Iterator[Check]:
    """Numbers are finite, and attention is a distribution over the source."""
    arrays = [array for f in forced for array in (f.logits, f.log_normalizer, f.cross_attention)]
    # Banned tokens have a logit of -inf; nothing else may be infinite.
    not_finite = sum(int(np.isnan(array).sum() + np.isposinf(array).sum()) for array in arrays)
    not_finite += sum(int((~np.isfinite(array)).sum()) for array in graphs.encode(sources).values())
    off = max(difference(f.cross_attention.sum(-1), np.ones(1, np.float32)) for f in forced)
    yield Check("numbers that are not finite", not_finite, 0)
    yield Check("cross-attention: largest distance of a row's sum from 1", off, ROW_SUM_TOLERANCE)


def rows_independent(graphs: ServingGraphs, sources: Sequence[Source], targets: Sequence[Ids]) -> Iterator[Check]:
    """Each source alone against all of them in a crowd whose other rows hold NaN."""
    affordable = MAX_CROWD_LOGITS // graphs.manifest.target.vocab_size - len(sources)
    num_neighbours = min(MAX_NEIGHBOURS, max(MIN_NEIGHBOURS, affordable))
    crowd = graphs.force(sources, targets, hostile_neighbours=num_neighbours)
    worst, num_other = 0.0, 0
    for source, target, among in zip(sources, targets, crowd, strict=True):
        alone = graphs.force([source], [target])[0]
        worst = max(worst, difference(among.logits, alone.logits))
        num_other += int((among.logits.argmax(-1) != alone.logits.argmax(-1)).sum())
    yield Check("rows: largest difference of logits, alone and in a crowd", worst, INDEPENDENCE_TOLERANCE)
    yield Check("rows: best tokens that differ, alone and in a crowd", num_other, 0)


def agrees(plain: Sequence[Forced], quantized: Sequence[Forced], targets: Sequence[Ids]) -> Iterator[Check]:
    """A quantized precision against float32, along the same outputs.

    Args:
        targets: start token first; position t's logits are for token t + 1.
    """
    drops, same = [], []
    for p, q, target in zip(plain, quantized, targets, strict=True):
        chosen = np.array(target[1:])[:, None]
        before, after = (np.take_along_axis(f.logits[:-1], chosen, 1)[:, 0] - f.log_normalizer[:-1] for f in (p, q))
        drops.append(before - after)
        same.append(p.logits.argmax(-1) == q.logits.argmax(-1))
    yield Check("average loss of log-probability a token", float(np.concatenate(drops).mean()), MAX_LOGPROB_DROP)
    yield Check("share of tokens that differ from float32", 1 - float(np.concatenate(same).mean()))


def spread(arrays: Sequence[NDArray[Any]]) -> float:
    """The standard deviation of all finite numbers, or 1 if it is smaller: rounding errors grow with it."""
    count, total, squares = 0, 0.0, 0.0
    for row in _rows(arrays):
        numbers = row[np.isfinite(row)].astype(np.float64)
        count, total, squares = count + numbers.size, total + numbers.sum(), squares + numbers @ numbers
    mean = total / max(1, count)
    return max(1.0, float(np.sqrt(max(0.0, squares / max(1, count) - mean**2))))


def difference(actual: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest absolute difference; equal infinities do not differ, and NaN differs from all."""
    worst = 0.0
    for a, e in zip(_rows([actual]), _rows([np.broadcast_to(expected, actual.shape)]), strict=True):
        with np.errstate(invalid="ignore"):
            off = np.where(a == e, 0, np.abs(a - e))
        worst = _worse(worst, float(off.max(initial=0)))
    return worst


def _worse(one: float, other: float) -> float:
    """The larger one; NaN is the worst."""
    return float(np.maximum(one, other))


def _rows(arrays: Sequence[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """All numbers, a row at a time: copies of all logits would cost as much memory as a small model."""
    for array in arrays:
        yield from (row.ravel() for row in np.atleast_2d(array))
