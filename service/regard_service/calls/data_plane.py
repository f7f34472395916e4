"""The data plane: runs translate, summarize and caption calls, unary and streaming, for every transport."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from functools import partial
from itertools import accumulate, islice
from typing import TypeVar

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.calls.answer_size import AnswerLimits, result_bytes, too_large
from regard_service.calls.control import FindGlossary, no_glossaries
from regard_service.calls.detecting import AUTO, LanguageRouter
from regard_service.calls.documents import translate_document
from regard_service.calls.inputs import Input, Part, Parts
from regard_service.calls.one_step import OneStepCalls
from regard_service.calls.pairs import PairScorer
from regard_service.calls.passage_events import PassageEvents
from regard_service.calls.passage_results import PassageBuilder
from regard_service.calls.plan import CallPlan
from regard_service.calls.planner import MAX_CHARACTERS_ON_EVENT_LOOP, CallPlanner
from regard_service.calls.results import ResultBuilder
from regard_service.calls.sent_requests import SentRequests
from regard_service.calls.source_check import SourceCheck
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.confidence.assessing import assessed, with_word_confidences
from regard_service.domain.calls import (
    AnswerCall,
    CaptionCall,
    ClassifyCall,
    DetectCall,
    EncodeCall,
    FillMaskCall,
    PairCall,
    SummarizeCall,
    TranslateCall,
)
from regard_service.domain.documents import DocumentCall, DocumentEvent
from regard_service.domain.outputs import AnswerResult, ClassifyResult, DetectResult, EncodeResult, FillMaskResult
from regard_service.domain.results import Result, Started, StreamEvent, TokenEvent
from regard_service.engine.core.result import EngineResult
from regard_service.engine.driver.engine import Engine
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.trace import Trace
from regard_service.languages.detection import DetectedLanguage
from regard_service.maps.builder import needs_contributions, needs_trace
from regard_service.observability.tracing.record import stage
from regard_service.repository.model_repository import ModelRepository
from regard_service.text.reading import SourceText

# Results of more parts, or of more bytes with the attention that they are made of, are built in a thread.
MAX_PARTS_ON_EVENT_LOOP = 4
MAX_BYTES_ON_EVENT_LOOP = 1 << 18

T = TypeVar("T")


class DataPlane:
    """Runs calls: a planner turns a call into requests, the engine runs them, and builders make the results."""

    def __init__(
        self,
        repository: ModelRepository,
        engine: Engine,
        pool: BoundedThreadPool,
        answer_limits: AnswerLimits | None = None,
        glossaries: FindGlossary = no_glossaries,
        *,
        checks_language: bool = True,
    ) -> None:
        self._pool = pool
        self._source_check = SourceCheck(pool, checks_language)
        self._answer_limits = answer_limits or AnswerLimits()
        self._router = LanguageRouter(repository, pool)
        self._planner = CallPlanner(repository, pool, engine.permit, self._answer_limits, glossaries)
        self._pairs = PairScorer(self._planner, pool, self._answer_limits)
        self._one_step = OneStepCalls(self._planner, pool, self._answer_limits)

    async def apart(self, function: Callable[[], T]) -> T:
        """Runs what would block the event loop, of a call's answer, in a thread."""
        (made,) = await self._pool.finish([function])
        return made

    async def translate(self, call: TranslateCall) -> list[Result]:
        """Translates texts; one result per text."""
        if call.source_language.lower() == AUTO:
            return await self._router.translate(call, self.translate)
        plan = await self._planner.translation(call)
        return await self._source_check.checked(plan, await self._results(plan))

    def stream_translate(self, call: TranslateCall) -> AsyncIterator[StreamEvent]:
        """Translates one text and yields its events."""
        if call.source_language.lower() == AUTO:
            return self._stream_of_detected(call)
        return self._stream(partial(self._planner.translation, call))

    async def _stream_of_detected(self, call: TranslateCall) -> AsyncIterator[StreamEvent]:
        chosen, describe = await self._router.of_stream(call)
        async with aclosing(self._stream(partial(self._planner.translation, chosen))) as events:
            async for event in events:
                yield describe(event)

    async def detect(self, texts: Sequence[str]) -> Sequence[DetectedLanguage]:
        """Returns the languages of texts, among those that the loaded translators read or write."""
        return await self._router.detect(texts)

    def translate_document(self, call: DocumentCall) -> AsyncIterator[DocumentEvent]:
        """Translates a file and yields its events."""
        return translate_document(call, self.translate, self._pool)

    async def score(self, call: PairCall) -> list[Result]:
        """Scores given pairs; one result per pair."""
        return await self._pairs.score(call)

    async def align(self, call: PairCall) -> list[Result]:
        """Aligns given pairs; one result per pair."""
        return await self._pairs.align(call)

    async def encode(self, call: EncodeCall) -> list[EncodeResult]:
        """Turns texts into vectors; one result per text."""
        return await self._one_step.encode(call)

    async def classify(self, call: ClassifyCall) -> list[ClassifyResult]:
        """Labels texts or pictures; one result per input."""
        return await self._one_step.classify(call)

    async def fill_mask(self, call: FillMaskCall) -> list[FillMaskResult]:
        """Fills the masks of texts; one result per text."""
        return await self._one_step.fill_mask(call)

    async def detect_objects(self, call: DetectCall) -> list[DetectResult]:
        """Finds objects in pictures; one result per picture."""
        return await self._one_step.detect(call)

    async def answer(self, call: AnswerCall) -> list[AnswerResult]:
        """Answers questions about pictures; one result per question and picture."""
        return await self._one_step.answer(call)

    async def summarize(self, call: SummarizeCall) -> list[Result]:
        """Summarizes texts; one result per text."""
        return await self._results(await self._planner.summary(call))

    def stream_summarize(self, call: SummarizeCall) -> AsyncIterator[StreamEvent]:
        """Summarizes one text and yields its events."""
        return self._stream(partial(self._planner.summary, call))

    async def caption(self, call: CaptionCall) -> list[Result]:
        """Describes pictures; one result per picture."""
        return await self._results(await self._planner.caption(call))

    def stream_caption(self, call: CaptionCall) -> AsyncIterator[StreamEvent]:
        """Describes one picture and yields its events."""
        return self._stream(partial(self._planner.caption, call))

    async def _results(self, plan: CallPlan) -> list[Result]:
        """Runs all requests of a call side by side, and builds the result of each input."""
        with closing(plan):
            return await self._results_of(plan)

    async def _results_of(self, plan: CallPlan) -> list[Result]:
        with plan.permit as permit:
            finished = iter(await permit.run_all(plan.requests))
        results: list[Result] = []
        num_bytes, num_expected = 0, plan.memory.num_bytes // len(plan.inputs)
        for index, read in enumerate(plan.inputs):
            parts = read.parts
            merged = [
                _merge(list(islice(finished, count)), part)
                for part, count in zip(parts, plan.num_sequences(index), strict=True)
            ]
            traced = await self._traced(plan, parts, merged)
            build = partial(_built, plan, plan.result_builder(index), traced)
            with stage("detokenize"):
                # Small results take less time than a thread costs.
                is_large = is_slow_to_build(read, num_expected)
                results.append(await self.apart(build) if is_large else build())
            if plan.call.attention.kinds:
                num_bytes += result_bytes(results[-1], plan.call.attention)
                self._check_size(num_bytes, plan)
        return results

    def _check_size(self, num_bytes: int, plan: CallPlan) -> None:
        """Raises AnswerTooLarge if maps turn out larger than foretold, before more of them are made."""
        limit = self._answer_limits.max_bytes
        if num_bytes > limit:
            found = f"the maps of the answer have more than {num_bytes} bytes"
            raise too_large(found, "max_message_bytes", limit, plan.call.attention)

    async def _stream(self, plan_call: Callable[[], Awaitable[CallPlan]]) -> AsyncGenerator[StreamEvent, None]:
        """Yields the source, each token as the search commits it, and the result."""
        plan = await plan_call()
        with closing(plan):
            builder = plan.result_builder(0)
            yield Started(builder.source, plan.model.name, plan.model.manifest.version)
            firsts = accumulate(plan.num_sequences(0)[:-1], initial=0)
            requests = [plan.requests[first] for first in firsts] if plan.requests else []
            async with SentRequests(plan.permit, requests) as sent:
                if isinstance(builder, PassageBuilder):
                    events = self._passage_events(plan, builder, sent)
                else:
                    events = self._events(plan, builder, sent)
                async for event in events:
                    yield event

    async def _events(
        self, plan: CallPlan, builder: ResultBuilder, sent: SentRequests
    ) -> AsyncIterator[TokenEvent | Result]:
        events = builder.events(await self._cross_norms(plan, plan.inputs[0].parts[0]))
        async for tokens in sent.tokens(0):
            for event in events.add(tokens):
                yield event
        result = await sent.result(0)
        for event in events.finish(result.hypotheses[0]):
            yield event
        traced = await self._traced(plan, plan.inputs[0].parts, [result])
        with stage("detokenize"):
            finished = await self._finished(plan, builder, traced)
        yield finished

    async def _passage_events(
        self, plan: CallPlan, builder: PassageBuilder, sent: SentRequests
    ) -> AsyncIterator[TokenEvent | Result]:
        """Yields the events of a text in segments: all of them run, and their tokens come in the text's order."""
        events, results, parts = PassageEvents(builder), [], plan.inputs[0].parts
        held: list[TokenEvent] = []
        for index, part in enumerate(parts):
            own = events.begin(await self._cross_norms(plan, part))
            async for tokens in sent.tokens(index):
                for event in events.add(own, tokens):
                    yield event
            results.append(await sent.result(index))
            for event in events.finish(own, results[-1].hypotheses[0]):
                if builder.is_marked:
                    held.append(event)
                else:
                    yield event
        traced = await self._traced(plan, parts, results)
        with stage("detokenize"):
            finished = await self._finished(plan, builder, traced)
        (finished,) = await self._source_check.checked(plan, [finished])
        for event in events.of_marked(held, finished) if held else ():
            yield event
        yield finished

    async def _finished(
        self, plan: CallPlan, builder: ResultBuilder | PassageBuilder, traced: list[EngineResult]
    ) -> Result:
        """Builds the result that ends a stream."""
        build = partial(_built, plan, builder, traced)
        return await self.apart(build) if is_slow_to_build(plan.inputs[0], plan.memory.num_bytes) else build()

    async def _traced(self, plan: CallPlan, parts: Parts, results: list[EngineResult]) -> list[EngineResult]:
        """Runs the trace graph on each hypothesis, if the maps of the call need it."""
        if not (needs_trace(plan.call.attention) or plan.has_confidence):
            return results
        runner = plan.model.runner
        hypotheses = [(part, each) for part, result in zip(parts, results, strict=True) for each in result.hypotheses]
        with stage("attention"):
            trace = partial(
                _trace, runner, has_contributions=needs_contributions(plan.call.attention) or plan.has_confidence
            )
            traces = await self._pool.finish([partial(trace, part, each.tokens) for part, each in hypotheses])
        traced = iter([replace(each, trace=trace) for (_, each), trace in zip(hypotheses, traces, strict=True)])
        return [replace(result, hypotheses=tuple(islice(traced, len(result.hypotheses)))) for result in results]

    async def _cross_norms(self, plan: CallPlan, part: Part) -> Float32Array | None:
        """Returns the norms by which a stream's maps of a part are weighted; None with the weighting "attention"."""
        options = plan.call.attention
        if not (options.weighting == "value_norm" and options.kinds):
            return None
        (trace,) = await self._pool.finish([partial(_trace, plan.model.runner, part, np.zeros(1, np.int64))])
        return trace.cross_norms


def is_slow_to_build(read: Input, num_bytes: int) -> bool:
    """Whether building the result of an input may hold up the event loop. Args: num_bytes: that its making takes."""
    if len(read.parts) > MAX_PARTS_ON_EVENT_LOOP or num_bytes > MAX_BYTES_ON_EVENT_LOOP:
        return True
    return read.passage is not None and len(read.passage.text) > MAX_CHARACTERS_ON_EVENT_LOOP


def _built(plan: CallPlan, builder: ResultBuilder | PassageBuilder, results: Sequence[EngineResult]) -> Result:
    """Builds a result, with its risk. Summaries and captions have one where the export learned it."""
    result, confidence = builder.result(results), plan.confidence
    if not isinstance(plan.call, TranslateCall) and confidence is None:
        return result
    result = assessed(result, confidence)
    return with_word_confidences(result, confidence) if plan.has_confidence and confidence is not None else result


def _trace(runner: Runner, part: Part, tokens: Int64Array, *, has_contributions: bool = False) -> Trace:
    """Returns the trace of an output, of which the decoder read all but the last token."""
    read = np.concatenate([[runner.manifest.target.start_id], tokens[:-1]])
    return runner.trace(part.array, read, has_contributions=has_contributions)


def _merge(results: Sequence[EngineResult], part: Part) -> EngineResult:
    """Merges the samples of one part into one result, best first; alternatives stay in their order."""
    if len(results) == 1:
        return results[0]
    hypotheses = [h for result in results for h in result.hypotheses]
    if not (isinstance(part, SourceText) and part.num_alternatives):
        hypotheses.sort(key=lambda h: -h.score)
    return replace(results[0], hypotheses=tuple(hypotheses), decode_s=max(result.decode_s for result in results))
