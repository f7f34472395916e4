"""Plans a call: chooses the model, resolves the options, reads the inputs."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from regard_service.auth.caller import current_caller
from regard_service.bundle import Task, TextSource
from regard_service.calls.answer_size import AnswerLimits, MakingMemory, check_answer
from regard_service.calls.inputs import Parts
from regard_service.calls.plan import CallPlan, Memory, engine_requests
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.calls import Call, CaptionCall, SummarizeCall, TranslateCall, Truncation
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver.permit import Permit
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import DeadlinePassed, FieldViolation, InvalidInput, ModelNotFound, Unsupported
from regard_service.observability.tracing.record import stage
from regard_service.pictures.reader import ImageReader
from regard_service.repository.loader import LoadedModel
from regard_service.repository.model_repository import ModelRepository
from regard_service.text.reading import SourceReader, SourceText
from regard_service.validation.attention import check_attention
from regard_service.validation.generation import resolve_generation
from regard_service.validation.violations import Violations

# Tokenizing this many characters takes about a millisecond. Less does not repay a thread.
MAX_CHARACTERS_ON_EVENT_LOOP = 4_000

# Tokens of all texts of a call. 128 texts of 20,000 characters of most languages have fewer; a text of symbols that the
# vocabulary lacks has several for each character.
MAX_TOKENS_PER_CALL = 2**20

Reading = Callable[[], Parts]
"""Reads an input, or raises InvalidInput."""

TakePermit = Callable[[Runner, EngineRequest, int], Permit]
"""Takes a permit for a number of requests like one whose input is not read yet, or raises Overloaded."""

UNREAD = np.zeros(0, np.int64)


class CallPlanner:
    """Plans the calls for the models of a repository.

    Every method lists all violations of a call at once, as InvalidInput.

    Args:
        take_permit: runs before inputs are read.
        answer_limits: calls whose answers would exceed them are refused before work starts; None takes the defaults.
    """

    def __init__(
        self,
        repository: ModelRepository,
        pool: BoundedThreadPool,
        take_permit: TakePermit,
        answer_limits: AnswerLimits | None = None,
    ) -> None:
        self._answer_limits = answer_limits or AnswerLimits()
        self._making = MakingMemory(self._answer_limits.max_making_bytes)
        self._repository = repository
        self._take_permit = take_permit
        self._pool = pool

    async def translation(self, call: TranslateCall) -> CallPlan:
        """Plans a translation. Raises InvalidInput, ModelNotFound, NotReady, Overloaded."""
        model = self._model(
            call, "translation", source_language=call.source_language, target_language=call.target_language
        )
        targets = model.manifest.target_languages
        if not call.target_language and len(targets) != 1:
            raise InvalidInput.of("target_language", f"is empty; model {model.name!r} writes {', '.join(targets)}")
        target = call.target_language or targets[0]
        _check_offered("target language", target, model, targets)
        language = _source_language(call, model)
        readings = self._texts(model, call.texts, target, call.truncation, language=language)
        return await self._plan(call, model, target, readings, is_threaded=_are_long(call.texts))

    async def summary(self, call: SummarizeCall) -> CallPlan:
        """Plans a summary. Raises InvalidInput, ModelNotFound, NotReady, Overloaded."""
        model = self._model(call, "summarization", style=call.style)
        styles = model.manifest.styles
        if call.style:
            _check_offered("style", call.style, model, styles)
        style = call.style or (styles[0] if styles else "")
        readings = self._texts(model, call.texts, style, call.truncation)
        return await self._plan(call, model, style, readings, is_threaded=_are_long(call.texts))

    async def caption(self, call: CaptionCall) -> CallPlan:
        """Plans a caption. Raises InvalidInput, ModelNotFound, NotReady, Overloaded."""
        model = self._model(call, "captioning")
        return await self._plan(call, model, "", self._images(model, call.images), is_threaded=True)

    def _model(
        self, call: Call, task: Task, *, source_language: str = "", target_language: str = "", style: str = ""
    ) -> LoadedModel:
        if call.model:
            return self._repository.get(call.model, task)
        return self._repository.default(
            task, source_language=source_language, target_language=target_language, style=style
        )

    def _texts(
        self,
        model: LoadedModel,
        texts: Sequence[str],
        key: str,
        truncation: Truncation | None,
        *,
        language: str = "",
    ) -> Sequence[Reading]:
        reader = model.reader
        if not isinstance(reader, SourceReader):
            raise Unsupported(f"model {model.name!r} reads no text")
        chosen = truncation or model.manifest.default_truncation
        return [
            partial(_read_text, reader, text, field=f"texts[{index}]", key=key, truncation=chosen, language=language)
            for index, text in enumerate(texts)
        ]

    def _images(self, model: LoadedModel, images: Sequence[bytes]) -> Sequence[Reading]:
        reader = model.reader
        if not isinstance(reader, ImageReader):
            raise Unsupported(f"model {model.name!r} reads no pictures")
        return [partial(_read_image, reader, image, f"images[{index}]") for index, image in enumerate(images)]

    async def _plan(
        self, call: Call, model: LoadedModel, key: str, readings: Sequence[Reading], *, is_threaded: bool
    ) -> CallPlan:
        violations = Violations()
        generation = resolve_generation(call.generation, model.manifest, key, violations)
        check_attention(call.attention, model.manifest, violations)
        if violations.found:
            _, unreadable = await self._read(readings, is_threaded=is_threaded)
            raise InvalidInput([*violations.found, *unreadable])
        outline = EngineRequest(UNREAD, generation, deadline=call.deadline, bulk=call.is_bulk, caller=current_caller())
        permit = self._take_permit(model.runner, outline, len(readings))
        try:
            inputs, unreadable = await self._read_in_time(readings, call.deadline, is_threaded=is_threaded)
            if unreadable:
                raise InvalidInput(unreadable)
            num_bytes = check_answer(model.manifest, call.attention, generation, inputs, self._answer_limits)
            requests = tuple(engine_requests(inputs, generation, call))
            permit.extend(requests)
            memory = Memory(self._making, num_bytes)
        except BaseException:
            permit.close()
            raise
        return CallPlan(model, generation, inputs, call, requests, permit, memory)

    async def _read_in_time(
        self, readings: Sequence[Reading], deadline: float | None, *, is_threaded: bool
    ) -> tuple[tuple[Parts, ...], list[FieldViolation]]:
        """As `_read`; stops at the call's deadline, if threads read."""
        if not is_threaded or deadline is None:
            return await self._read(readings, is_threaded=is_threaded)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self._read(readings, is_threaded=True)
        except TimeoutError:
            raise DeadlinePassed("the call's deadline passed while its inputs were read") from None

    async def _read(
        self, readings: Sequence[Reading], *, is_threaded: bool
    ) -> tuple[tuple[Parts, ...], list[FieldViolation]]:
        """Reads all inputs; returns the valid inputs, and the violations of the others."""
        meter = _TokenMeter()
        attempts = [partial(_attempt, reading, meter) for reading in readings]
        with stage("prepare"):
            outcomes = await self._pool.run(attempts) if is_threaded else [attempt() for attempt in attempts]
        refused = [outcome for outcome in outcomes if isinstance(outcome, InvalidInput)]
        inputs = tuple(outcome for outcome in outcomes if not isinstance(outcome, InvalidInput))
        return inputs, [violation for each in refused for violation in each.violations]


def _are_long(texts: Sequence[str]) -> bool:
    return sum(map(len, texts)) > MAX_CHARACTERS_ON_EVENT_LOOP


def _read_text(
    reader: SourceReader, text: str, *, field: str, key: str, truncation: Truncation, language: str
) -> Parts:
    if truncation == "split":
        return reader.read_parts(text, field=field, key=key, language=language)
    return (reader.read(text, field=field, key=key, truncation=truncation, language=language),)


def _read_image(reader: ImageReader, image: bytes, field: str) -> Parts:
    return (reader.read(image, field=field),)


class _TokenMeter:
    """Counts the tokens of a call while its inputs are read: characters do not tell how many there will be.

    Threads add to it without a lock: one addition may be lost.
    """

    def __init__(self) -> None:
        self.num_tokens = 0

    def add(self, parts: Parts) -> None:
        """Counts an input that was read."""
        self.num_tokens += sum(part.array.shape[-1] for part in parts if isinstance(part, SourceText))

    def check(self) -> None:
        """Raises InvalidInput if the inputs read so far have too many."""
        if self.num_tokens > MAX_TOKENS_PER_CALL:
            raise InvalidInput.of("texts", f"have more than {MAX_TOKENS_PER_CALL} tokens, the limit of a call")


def _attempt(reading: Reading, meter: _TokenMeter) -> Parts | InvalidInput:
    try:
        meter.check()
        parts = reading()
    except InvalidInput as error:
        return error
    meter.add(parts)
    return parts


def _source_language(call: TranslateCall, model: LoadedModel) -> str:
    """Returns the texts' language; "" only for models that do not read its name.

    Raises:
        InvalidInput: the model reads several languages, and the call names none.
        ModelNotFound: the model does not read the call's language.
    """
    sources = model.manifest.source_languages
    if call.source_language:
        _check_offered("source language", call.source_language, model, sources)
        return call.source_language
    source = model.manifest.source
    if not isinstance(source, TextSource) or not source.needs_source_language:
        return ""
    if len(sources) != 1:
        raise InvalidInput.of("source_language", f"is empty; model {model.name!r} reads {', '.join(sources)}")
    return sources[0]


def _check_offered(kind: str, name: str, model: LoadedModel, offered: Sequence[str]) -> None:
    """Raises ModelNotFound unless the model offers a language or style."""
    if name not in offered:
        raise ModelNotFound(f"model {model.name!r} has no {kind} {name!r}; it has {', '.join(offered)}")
