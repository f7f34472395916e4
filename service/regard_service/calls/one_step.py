"""Calls of models without a decoder, each of whose inputs is a request of one step."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from regard_service.auth.caller import current_caller
from regard_service.bundle import (
    BoxesOutput,
    ImageSource,
    LabelsOutput,
    Output,
    PiecesOutput,
    VectorOutput,
)
from regard_service.calls.answer_size import AnswerLimits, check_answer
from regard_service.calls.explaining import Explained, Explainer
from regard_service.calls.followed import FollowedLabel
from regard_service.calls.inputs import Input
from regard_service.calls.one_step_results import (
    AnsweredInput,
    answer_of,
    filled_masks_of,
    labels_of,
    objects_of,
    objects_to_follow,
    tokens_of,
    vector_of,
    with_explanations,
)
from regard_service.calls.plan import engine_requests
from regard_service.calls.planner import MAX_CHARACTERS_ON_EVENT_LOOP, CallPlanner, Reading
from regard_service.calls.questions import QuestionReadings
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.calls import AnswerCall, Call, ClassifyCall, DetectCall, EncodeCall, FillMaskCall
from regard_service.domain.outputs import (
    AnswerResult,
    ClassifyResult,
    DetectResult,
    EncodeResult,
    FillMaskResult,
)
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.runtime.trace import Trace
from regard_service.errors import InvalidInput, Unsupported
from regard_service.generation import ONE_STEP
from regard_service.maps.builder import needs_contributions
from regard_service.observability.tracing.record import stage
from regard_service.repository.loader import LoadedModel
from regard_service.repository.readers import QuestionReader
from regard_service.validation.attention import check_attention
from regard_service.validation.texts import unknown_label
from regard_service.validation.violations import Violations

UNREAD = np.zeros(0, np.int64)
NO_TARGET = np.zeros(0, np.int64)  # trace graphs without a decoder read none

T = TypeVar("T")
LabelledT = TypeVar("LabelledT", ClassifyResult, AnswerResult)
Kind = TypeVar("Kind", bound=Output)


@dataclass(frozen=True)
class _Readings:
    """The readings of a call.

    Attributes:
        joined: makes the inputs of the requests of what was read, in order.
    """

    all: Sequence[Reading]
    num_requests: int
    joined: Callable[[Sequence[Input]], tuple[Input, ...]] = tuple

    @classmethod
    def of_each(cls, readings: Sequence[Reading]) -> "_Readings":
        """Returns the readings of inputs that are a request each."""
        return cls(readings, len(readings))


class OneStepCalls:
    """Runs the calls.

    Args:
        planner: chooses the models and reads the inputs.
        pool: its threads read inputs and run trace graphs.
    """

    def __init__(self, planner: CallPlanner, pool: BoundedThreadPool, limits: AnswerLimits) -> None:
        self._planner = planner
        self._pool = pool
        self._limits = limits
        self._explainer = Explainer(planner, pool)

    async def encode(self, call: EncodeCall) -> list[EncodeResult]:
        """Encodes texts; one result per text. Raises InvalidInput with every violation, or as other calls."""
        model = self._planner.model(call, "encoding")
        output, violations = _output(model, VectorOutput), Violations()
        if call.pooling not in (None, *output.poolings):
            offered = ", ".join(output.poolings)
            violations.add("pooling", f"{call.pooling} is not offered by model {model.name!r}; it offers {offered}")
        readings = self._planner.whole_texts(model, call.texts, call.truncation)
        answered = await self._answered(
            call, model, _Readings.of_each(readings), violations, is_slow=_are_slow(call.texts)
        )
        return await self._built(call, [partial(vector_of, each, call, output) for each in answered])

    async def classify(self, call: ClassifyCall) -> list[ClassifyResult]:
        """Labels texts or pictures; one result per input. Raises as `encode`."""
        model = self._planner.model(call, "classification")
        output, violations = _output(model, LabelsOutput), Violations()
        _check_labels(call, model, output, violations)
        self._explainer.check(call, model, output, len(call.texts) + len(call.images), violations)
        reads_pictures = isinstance(model.manifest.source, ImageSource)
        _check_kind(call, model, reads_pictures=reads_pictures)
        if reads_pictures:
            readings = self._planner.images(model, call.images)
        else:
            readings = self._planner.whole_texts(model, call.texts, call.truncation)
        is_slow = reads_pictures or _are_slow(call.texts)
        answered = await self._answered(call, model, _Readings.of_each(readings), violations, is_slow=is_slow)
        is_long = output.of == "token"
        built = [partial(labels_of, each, call, output) for each in answered]
        results = await self._built(call, built, is_slow=is_long and is_slow)
        return await self._explained(call, model, output, answered, results) if call.explain.evidence else results

    async def _explained(
        self,
        call: ClassifyCall | AnswerCall,
        model: LoadedModel,
        output: LabelsOutput,
        answered: Sequence[AnsweredInput],
        results: Sequence[LabelledT],
    ) -> list[LabelledT]:
        """Adds what evidence for a label of each input is worth."""
        label = call.explain.label
        followed = [Explained(each.part, (FollowedLabel.of(each.result.outputs, output, label),)) for each in answered]
        with stage("explain"):
            explained = await self._explainer.explain(call, model, followed)
        return [replace(each, explanations=own) for each, (own,) in zip(results, explained, strict=True)]

    async def detect(self, call: DetectCall) -> list[DetectResult]:
        """Finds objects in pictures; one result per picture. Raises as `encode`."""
        model = self._planner.model(call, "detection")
        output, violations = _output(model, BoxesOutput), Violations()
        _check_labels(call, model, output, violations)
        self._explainer.check(call, model, output, len(call.images), violations)
        readings = _Readings.of_each(self._planner.images(model, call.images))
        most = call.top_k if not output.is_exclusive else min(call.top_k, output.queries)
        answered = await self._answered(call, model, readings, violations, is_slow=True, most_rows=most)
        results = await self._built(call, [partial(objects_of, each, call, output) for each in answered])
        if not call.explain.evidence:
            return results
        return await self._explained_objects(call, model, output, answered, results)

    async def _explained_objects(
        self,
        call: DetectCall,
        model: LoadedModel,
        output: BoxesOutput,
        answered: Sequence[AnsweredInput],
        results: Sequence[DetectResult],
    ) -> list[DetectResult]:
        """Adds what evidence for each object, or for those of a label, is worth."""
        label = call.explain.label
        chosen = [[found for found in each.detections if label in ("", found.label)] for each in results]
        followed = [
            Explained(each.part, objects_to_follow(each, objects, output))
            for each, objects in zip(answered, chosen, strict=True)
        ]
        with stage("explain"):
            explained = await self._explainer.explain(call, model, followed)
        return [
            with_explanations(each, objects, own) for each, objects, own in zip(results, chosen, explained, strict=True)
        ]

    async def answer(self, call: AnswerCall) -> list[AnswerResult]:
        """Answers questions about pictures; one result per question and picture. Raises as `encode`."""
        model = self._planner.model(call, "answering")
        output, violations = _output(model, LabelsOutput), Violations()
        _check_labels(call, model, output, violations)
        reader = model.reader
        if not isinstance(reader, QuestionReader):
            raise Unsupported(f"model {model.name!r} reads no pictures with questions")
        truncation = call.truncation or model.manifest.default_truncation
        read = QuestionReadings(
            reader, call.images, call.questions, "truncate" if truncation == "truncate" else "reject"
        )
        self._explainer.check(call, model, output, read.num_pairs, violations)
        readings = _Readings(read.all(), read.num_pairs, read.paired)
        answered = await self._answered(call, model, readings, violations, is_slow=True)
        results = await self._built(call, [partial(answer_of, each, call, output) for each in answered])
        return await self._explained(call, model, output, answered, results) if call.explain.evidence else results

    async def fill_mask(self, call: FillMaskCall) -> list[FillMaskResult]:
        """Fills the masks of texts; one result per text. Raises as `encode`, and InvalidInput without a mask."""
        model = self._planner.model(call, "mask_filling")
        output, violations = _output(model, PiecesOutput), Violations()
        if call.top_k > output.candidates:
            violations.add("top_k", f"is {call.top_k}; model {model.name!r} returns at most {output.candidates} pieces")
        masks = frozenset({output.mask})
        readings = [
            partial(_with_mask, reading, output, f"texts[{index}]")
            for index, reading in enumerate(self._planner.whole_texts(model, call.texts, call.truncation, masks))
        ]
        # The first text with a mask makes a tokenizer that reads masks, which takes a while.
        answered = await self._answered(call, model, _Readings.of_each(readings), violations, is_slow=True)
        return await self._built(call, [partial(filled_masks_of, each, call, output) for each in answered])

    async def _answered(
        self,
        call: Call,
        model: LoadedModel,
        readings: _Readings,
        violations: Violations,
        *,
        is_slow: bool,
        most_rows: int = 1,
    ) -> list[AnsweredInput]:
        """Reads all inputs, runs a request for each, and traces those of calls for maps.

        Args:
            most_rows: of the maps of a model with queries.
        """
        self._pool.present.meet(current_caller())
        check_attention(call.attention, model.manifest, violations)
        if violations.found:
            _, unreadable = await self._planner.read_in_time(readings.all, call.deadline, is_threaded=is_slow)
            raise InvalidInput([*violations.found, *unreadable])
        caller = current_caller()
        outline = EngineRequest(UNREAD, ONE_STEP, deadline=call.deadline, bulk=call.is_bulk, caller=caller)
        with self._planner.permit(model, outline, readings.num_requests) as permit:
            read, unreadable = await self._planner.read_in_time(readings.all, call.deadline, is_threaded=is_slow)
            if unreadable:
                raise InvalidInput(unreadable)
            inputs = readings.joined(read)
            expected = replace(ONE_STEP, max_new_tokens=most_rows)
            num_bytes = check_answer(model.manifest, call.attention, expected, inputs, self._limits, is_written=False)
            requests = list(engine_requests(inputs, ONE_STEP, call, is_listed=False))
            permit.extend(requests)
            with closing(self._planner.memory(num_bytes)):
                results = await permit.run_all(requests)
                traces = await self._traces(call, model, inputs)
        parts = [each.parts[0] for each in inputs]
        return [AnsweredInput(model, call, *each) for each in zip(parts, results, traces, strict=True)]

    async def _built(self, call: Call, builds: Sequence[Callable[[], T]], *, is_slow: bool = False) -> list[T]:
        """Builds the results; those with maps, or of many tokens, in threads."""
        if call.attention.kinds or is_slow:
            return await self._pool.finish(builds)
        return [build() for build in builds]

    async def _traces(self, call: Call, model: LoadedModel, inputs: Sequence[Input]) -> Sequence[Trace | None]:
        if not call.attention.kinds:
            return [None] * len(inputs)
        has_contributions = needs_contributions(call.attention)
        with stage("attention"):
            trace = partial(
                model.runner.trace,
                target=NO_TARGET,
                has_contributions=has_contributions,
                sides=_traced_sides(call, model),
            )
            return await self._pool.finish([partial(trace, read.parts[0].array) for read in inputs])


def _output(model: LoadedModel, kind: type[Kind]) -> Kind:
    """Returns what a model makes, which is of its task's kind in every bundle of ours. Raises Unsupported."""
    output = model.manifest.output
    if not isinstance(output, kind):
        raise Unsupported(f"model {model.name!r} is said to do {model.manifest.task}, and makes {output.kind}")
    return output


def _check_labels(
    call: ClassifyCall | DetectCall | AnswerCall,
    model: LoadedModel,
    output: LabelsOutput | BoxesOutput,
    violations: Violations,
) -> None:
    known = set(output.labels)
    for index, label in enumerate(call.labels):
        if label not in known:
            violations.add(f"labels[{index}]", unknown_label(label, output.labels, model.name))


def _traced_sides(call: Call, model: LoadedModel) -> Sequence[str] | None:
    """What is traced: of a model with queries, a picture's self-attention only on request, since it is large."""
    if not isinstance(model.manifest.output, BoxesOutput):
        return None
    return ("cross", "encoder") if "encoder_self" in call.attention.kinds else ("cross",)


def _check_kind(call: ClassifyCall, model: LoadedModel, *, reads_pictures: bool) -> None:
    """Raises InvalidInput for texts that a model of pictures should read, and the other way round."""
    if reads_pictures and call.texts:
        raise InvalidInput.of("texts", f"model {model.name!r} reads pictures: send images")
    if not reads_pictures and call.images:
        raise InvalidInput.of("images", f"model {model.name!r} reads texts: send texts")


def _are_slow(texts: Sequence[str]) -> bool:
    return sum(map(len, texts)) > MAX_CHARACTERS_ON_EVENT_LOOP


def _with_mask(reading: Callable[[], Input], output: PiecesOutput, field: str) -> Input:
    """Reads a text that has a mask. Raises InvalidInput without one."""
    read = reading()
    if not any(token.id == output.mask_id for token in tokens_of(read.parts[0])):
        raise InvalidInput.of(field, f"has no mask where the model reads it; a mask is written {output.mask}")
    return read
