"""Scores and aligns given pairs: one pass of the trace graph over each, in the reading pool's threads."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from regard_service.bundle import Confidence
from regard_service.calls.answer_size import AnswerLimits, check_answer, result_bytes, too_large
from regard_service.calls.inputs import Input
from regard_service.calls.planner import CallPlanner
from regard_service.calls.results import ResultBuilder
from regard_service.calls.symmetrizing import symmetrized
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.confidence.assessing import assessed, with_word_confidences
from regard_service.domain.calls import PairCall, TextPair
from regard_service.domain.results import Result
from regard_service.engine.core.result import EngineHypothesis, EngineResult
from regard_service.errors import DeadlinePassed, FieldViolation, InvalidInput, Unsupported
from regard_service.generation import Generation
from regard_service.maps.builder import needs_contributions
from regard_service.observability.tracing.record import stage
from regard_service.repository.loader import LoadedModel
from regard_service.text.given import GivenTarget
from regard_service.text.reading import SourceReader, SourceText
from regard_service.validation.attention import check_attention
from regard_service.validation.confidence import check_confidence
from regard_service.validation.violations import Violations

T = TypeVar("T")

UNSEARCHED = Generation(max_new_tokens=1)  # the score of a given target is the sum of its log-probabilities


class ReadPair(NamedTuple):
    """A pair as the model reads it."""

    source: SourceText
    target: GivenTarget


class PairScorer:
    """Scores and aligns pairs.

    Args:
        planner: chooses the models.
        pool: its threads read texts and run trace graphs.
    """

    def __init__(self, planner: CallPlanner, pool: BoundedThreadPool, limits: AnswerLimits) -> None:
        self._planner = planner
        self._pool = pool
        self._limits = limits

    async def score(self, call: PairCall) -> list[Result]:
        """Returns one result per pair. Raises InvalidInput with every violation, Unsupported, or as a translation."""
        model, target, language = self._planner.translator(call)
        _check(call, model, target)
        return await _in_time(call, self._scored(call, model, target, language))

    async def align(self, call: PairCall) -> list[Result]:
        """Returns one result per pair, with the alignment; links of both directions if there is a reverse model."""
        if not call.reverse_model:
            return await self.score(call)
        swapped = self._reversed(call)
        forward = await self.score(call)
        try:
            backward = await self.score(swapped)
        except InvalidInput as error:
            raise error.renamed(_of_other_direction) from error
        return [symmetrized(*both, call.symmetrization) for both in zip(forward, backward, strict=True)]

    def _reversed(self, call: PairCall) -> PairCall:
        """Returns the call of the other direction. Raises ModelNotFound if the reverse model has not that direction."""
        model, target, language = self._planner.translator(call)
        sources = model.manifest.source_languages
        swapped = replace(
            call,
            model=call.reverse_model,
            pairs=tuple(TextPair(pair.target, pair.source) for pair in call.pairs),
            source_language=target,
            target_language=call.source_language or language or (sources[0] if len(sources) == 1 else ""),
            attention=replace(call.attention, kinds=("alignment",)),
        )
        reverse, written, _ = self._planner.translator(swapped)
        _check(swapped, reverse, written)
        return swapped

    async def _scored(self, call: PairCall, model: LoadedModel, target: str, language: str) -> list[Result]:
        pairs = await self._read(call, model, target, language)
        with closing(self._planner.memory(self._num_bytes(call, model, pairs))), stage("attention"):
            confidence = model.manifest.confidence.get(target)
            results = await self._pool.run([partial(_result, model, pair, call, confidence) for pair in pairs])
        self._check_size(call, results)
        return results

    async def _read(self, call: PairCall, model: LoadedModel, target: str, language: str) -> list[ReadPair]:
        """Reads all pairs. Raises InvalidInput with the violations of all."""
        attempts = [
            partial(_read, model, target, language, pair, f"pairs[{number}]") for number, pair in enumerate(call.pairs)
        ]
        with stage("prepare"):
            outcomes = await self._pool.run(attempts)
        refused = [violation for outcome in outcomes if not isinstance(outcome, ReadPair) for violation in outcome]
        if refused:
            raise InvalidInput(refused)
        return [outcome for outcome in outcomes if isinstance(outcome, ReadPair)]

    def _num_bytes(self, call: PairCall, model: LoadedModel, pairs: Sequence[ReadPair]) -> int:
        """Returns what the answer's making takes. Raises AnswerTooLarge before any map is computed."""
        total = 0
        for pair in pairs:
            length = len(pair.target.tokens)
            lengths = replace(UNSEARCHED, max_new_tokens=length, min_new_tokens=length)
            inputs = [Input((pair.source,))]
            total += check_answer(model.manifest, call.attention, lengths, inputs, self._limits, is_written=False)
        if total > self._limits.max_making_bytes:
            found = f"making the answer would take some {total} bytes of memory"
            raise too_large(
                found, "max_answer_memory_bytes", self._limits.max_making_bytes, call.attention, is_written=False
            )
        return total

    def _check_size(self, call: PairCall, results: Sequence[Result]) -> None:
        num_bytes = sum(result_bytes(result, call.attention) for result in results) if call.attention.kinds else 0
        if num_bytes > self._limits.max_bytes:
            found = f"the maps of the answer have {num_bytes} bytes"
            raise too_large(found, "max_message_bytes", self._limits.max_bytes, call.attention, is_written=False)


def _check(call: PairCall, model: LoadedModel, language: str) -> None:
    """Refuses a model that cannot score given targets, and options that it does not offer.

    Args:
        language: of the targets, by the model's name.
    """
    manifest = model.manifest
    if manifest.target.copies:
        reason = "it copies words of its sources, and a given target does not say which"
    elif not manifest.is_traced:
        reason = "its bundle has no trace graph"
    elif model.target_reader is None:
        reason = "its bundle is of an earlier exporter; export it again"
    else:
        violations = Violations()
        check_attention(call.attention, manifest, violations)
        check_confidence(call.has_confidence, manifest, language, violations)
        violations.raise_if_any()
        return
    raise Unsupported(f"model {model.name!r} cannot score given targets: {reason}")


async def _in_time(call: PairCall, work: Awaitable[T]) -> T:
    """Waits for work until the call's deadline."""
    if call.deadline is None:
        return await work
    try:
        async with asyncio.timeout(call.deadline - time.monotonic()):
            return await work
    except TimeoutError:
        raise DeadlinePassed("the call's deadline passed while its pairs were scored") from None


def _read(
    model: LoadedModel, target: str, language: str, pair: TextPair, field: str
) -> ReadPair | list[FieldViolation]:
    """Reads a pair; returns the violations of both texts if there are any."""
    reader, target_reader, violations = model.reader, model.target_reader, Violations()
    if not isinstance(reader, SourceReader) or target_reader is None:
        raise Unsupported(f"model {model.name!r} reads no text")
    source = given = None
    try:
        source = reader.read(pair.source, field=f"{field}.source", key=target, truncation="reject", language=language)
    except InvalidInput as error:
        violations.found += error.violations
    try:
        given = target_reader.read(pair.target, field=f"{field}.target", key=target)
    except InvalidInput as error:
        violations.found += error.violations
    return violations.found if source is None or given is None else ReadPair(source, given)


def _result(model: LoadedModel, pair: ReadPair, call: PairCall, confidence: Confidence | None) -> Result:
    """Runs the trace graph and builds the result. A forced token has the log-probability 0."""
    begin, labels, options = time.monotonic(), pair.target.ids, call.attention
    is_traced = bool(options.kinds) or call.has_confidence
    trace = model.runner.trace(
        pair.source.array,
        np.concatenate([[model.manifest.target.start_id], labels[:-1]]),
        labels=labels,
        has_contributions=needs_contributions(options) or call.has_confidence,
    )
    logprobs = np.array(trace.logprobs, np.float32)
    logprobs[: pair.target.num_forced] = 0.0
    made = EngineHypothesis(
        labels,
        logprobs,
        float(logprobs.sum()),
        "end",
        trace.cross if options.kinds else None,
        trace if is_traced else None,
    )
    builder = ResultBuilder(
        model, (pair.source,), options, UNSEARCHED, finish=lambda *_: pair.target.with_logprobs(logprobs)
    )
    result = builder.result([EngineResult((made,), 0.0, 0.0, time.monotonic() - begin)])
    result = assessed(result, confidence, is_given=True)
    return with_word_confidences(result, confidence) if call.has_confidence and confidence is not None else result


def _of_other_direction(field: str) -> str:
    """Returns the path, in the request, of a field of the reversed call: "pairs[0].source" is "pairs[0].target"."""
    path, _, text = field.rpartition(".")
    swapped = {"source": "target", "target": "source"}
    return f"{path}.{swapped[text]}" if text in swapped else field
