"""Plans a call: chooses the model, resolves the options, reads the inputs."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from regard_service.auth.caller import current_caller
from regard_service.bundle import DEFAULT_LENGTH_RATIOS, Task, TextSource
from regard_service.calls.answer_size import AnswerLimits, MakingMemory, check_answer
from regard_service.calls.control import FindGlossary, ReadControl, no_glossaries, read_control
from regard_service.calls.inputs import Input
from regard_service.calls.plan import CallPlan, Memory, chooses_from_shortlist, engine_requests
from regard_service.calls.preparing import Preparation
from regard_service.calls.reading import PassageReader
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.domain.calls import Call, CaptionCall, PairCall, SummarizeCall, TranslateCall, Truncation
from regard_service.domain.results import Span
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver.permit import Permit
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import DeadlinePassed, FieldViolation, InvalidInput, ModelNotFound, Unsupported
from regard_service.languages.matching import match
from regard_service.observability.tracing.record import stage
from regard_service.passages.markup.entities import MarkupFormat
from regard_service.passages.protection.patterns import compile_patterns
from regard_service.pictures.reader import ImageReader
from regard_service.repository.loader import LoadedModel
from regard_service.repository.model_repository import ModelRepository
from regard_service.repository.preference import meant_language
from regard_service.text.reading import SourceReader, SourceText
from regard_service.validation.attention import check_attention
from regard_service.validation.confidence import check_confidence
from regard_service.validation.violations import Violations

# Tokenizing this many characters takes about a millisecond. Less does not repay a thread.
MAX_CHARACTERS_ON_EVENT_LOOP = 4_000
MAX_LISTED_CONTROL_TOKENS = 16  # in an error

# Tokens of all texts of a call. 128 texts of 20,000 characters of most languages have fewer; a text of symbols that the
# vocabulary lacks has several for each character.
MAX_TOKENS_PER_CALL = 2**20

# Of the texts of a call with markup: a tag takes ten microseconds of a thread.
MAX_TAGS_PER_CALL = 200_000

Reading = Callable[[], Input]
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
        glossaries: finds the server's glossaries by their names.
    """

    def __init__(
        self,
        repository: ModelRepository,
        pool: BoundedThreadPool,
        take_permit: TakePermit,
        answer_limits: AnswerLimits | None = None,
        glossaries: FindGlossary = no_glossaries,
    ) -> None:
        self._glossaries = glossaries
        self._answer_limits = answer_limits or AnswerLimits()
        self._making = MakingMemory(self._answer_limits.max_making_bytes)
        self._repository = repository
        self._take_permit = take_permit
        self._pool = pool

    async def translation(self, call: TranslateCall) -> CallPlan:
        """Plans a translation. Raises InvalidInput, ModelNotFound, NotReady, Overloaded."""
        model, target, language = self.translator(call)
        read = partial(read_control, call, model, target, self._glossaries)
        (control,) = await self._pool.run([read]) if _has_terms(call) else [read()]
        if call.text_options.raw:
            readings = self._texts(model, call, target, language=language, control=control)
        else:
            readings = self._passages(model, call, target, language, control)
        return await self._plan(
            call, model, target, readings, is_threaded=_are_slow(call), suppressed=control.suppressed
        )

    def translator(self, call: TranslateCall | PairCall) -> tuple[LoadedModel, str, str]:
        """Returns the model of a call, and its target and source language by the model's own names.

        The source language is "" for models that do not read its name. Raises InvalidInput, ModelNotFound, NotReady.
        """
        model = self.model(
            call, "translation", source_language=call.source_language, target_language=call.target_language
        )
        targets = model.manifest.target_languages
        if not call.target_language and len(targets) != 1:
            raise InvalidInput.of("target_language", f"is empty; model {model.name!r} writes {', '.join(targets)}")
        target = _language("target", call.target_language, model, targets) if call.target_language else targets[0]
        return model, target, _source_language(call, model)

    def memory(self, num_bytes: int) -> Memory:
        """Takes the memory that an answer takes while it is made. Raises Overloaded."""
        return Memory(self._making, num_bytes)

    async def summary(self, call: SummarizeCall) -> CallPlan:
        """Plans a summary. Raises InvalidInput, ModelNotFound, NotReady, Overloaded."""
        model = self.model(call, "summarization", style=call.style)
        styles = model.manifest.styles
        if call.style and call.style not in styles:
            raise _not_offered("style", call.style, model, styles)
        style = call.style or (styles[0] if styles else "")
        readings = self._texts(model, call, style)
        return await self._plan(call, model, style, readings, is_threaded=_are_slow(call))

    async def caption(self, call: CaptionCall) -> CallPlan:
        """Plans a caption. Raises InvalidInput, ModelNotFound, NotReady, Overloaded."""
        model = self.model(call, "captioning")
        return await self._plan(call, model, "", self.images(model, call.images), is_threaded=True)

    def model(
        self, call: Call, task: Task, *, source_language: str = "", target_language: str = "", style: str = ""
    ) -> LoadedModel:
        """Returns the model that a call names, or the default one. Raises ModelNotFound, NotReady."""
        if call.model:
            return self._repository.get(call.model, task)
        return self._repository.default(
            task, source_language=source_language, target_language=target_language, style=style
        )

    def whole_texts(
        self,
        model: LoadedModel,
        texts: Sequence[str],
        truncation: Truncation | None,
        control_tokens: frozenset[str] = frozenset(),
    ) -> Sequence[Reading]:
        """Returns the readings of texts that a model without a decoder reads whole. Raises Unsupported."""
        reader = model.reader
        if not isinstance(reader, SourceReader):
            raise Unsupported(f"model {model.name!r} reads no text")
        read = partial(
            _read_text,
            reader,
            key="",
            truncation=truncation or model.manifest.default_truncation,
            language="",
            control_tokens=control_tokens,
        )
        return [partial(read, text, field=f"texts[{index}]") for index, text in enumerate(texts)]

    def permit(self, model: LoadedModel, outline: EngineRequest, num_requests: int) -> Permit:
        """Takes a permit for requests whose inputs have not been read. Raises Overloaded, DeadlineUnreachable."""
        return self._take_permit(model.runner, outline, num_requests)

    def _texts(
        self,
        model: LoadedModel,
        call: TranslateCall | SummarizeCall,
        key: str,
        *,
        language: str = "",
        control: ReadControl | None = None,
    ) -> Sequence[Reading]:
        reader = model.reader
        if not isinstance(reader, SourceReader):
            raise Unsupported(f"model {model.name!r} reads no text")
        read = partial(
            _read_text,
            reader,
            key=key,
            truncation=call.truncation or model.manifest.default_truncation,
            language=language,
            control_tokens=_control_tokens(call, model),
        )
        readings = [partial(read, text, field=f"texts[{index}]") for index, text in enumerate(call.texts)]
        if control is None or control.is_empty:
            return readings
        return [partial(control.of_raw, reading, index) for index, reading in enumerate(readings)]

    def _passages(
        self, model: LoadedModel, call: TranslateCall, target: str, language: str, control: ReadControl
    ) -> Sequence[Reading]:
        """Args: language: the source language, for models that read its name; else ""."""
        reader, manifest = model.reader, model.manifest
        if not isinstance(reader, SourceReader):
            raise Unsupported(f"model {model.name!r} reads no text")
        unit = call.text_options.unit or manifest.text_unit
        sources = manifest.source_languages
        passages = PassageReader(
            reader=reader,
            key=target,
            preparation=Preparation(
                call.source_language or (sources[0] if len(sources) == 1 else ""),
                target,
                compile_patterns(call.text_options.protected_patterns, "text_options.protected_patterns"),
                reader.rank,
                None if manifest.target.copies else reader.lacks,
            ),
            language=language,
            unit=unit,
            truncation=call.truncation or (manifest.default_truncation if unit == "whole" else None),
            max_passage_tokens=manifest.unit_tokens or manifest.max_source_tokens,
            ratios=manifest.length_ratios.get(target, DEFAULT_LENGTH_RATIOS),
            markup=_markup(call, model),
            elements=call.text_options.elements,
            kept=_by_text(call.text_options.protected_spans),
            control_tokens=_control_tokens(call, model),
            terms=control.terms,
            prefixes=control.prefixes,
        )
        return [partial(_read_passage, passages, text, index) for index, text in enumerate(call.texts)]

    def images(self, model: LoadedModel, images: Sequence[bytes]) -> Sequence[Reading]:
        """Returns the readings of pictures. Raises Unsupported."""
        reader = model.reader
        if not isinstance(reader, ImageReader):
            raise Unsupported(f"model {model.name!r} reads no pictures")
        return [partial(_read_image, reader, image, f"images[{index}]") for index, image in enumerate(images)]

    async def _plan(
        self,
        call: Call,
        model: LoadedModel,
        key: str,
        readings: Sequence[Reading],
        *,
        is_threaded: bool,
        suppressed: tuple[tuple[int, ...], ...] = (),
    ) -> CallPlan:
        self._pool.present.meet(current_caller())
        violations = Violations()
        generation = model.generations.resolve(call.generation, key, violations)
        if suppressed:
            generation = replace(generation, suppressed=suppressed)
        check_attention(call.attention, model.manifest, violations)
        if isinstance(call, TranslateCall):
            check_confidence(call.has_confidence, model.manifest, key, violations)
        if violations.found:
            _, unreadable = await self._read(readings, is_threaded=is_threaded)
            raise InvalidInput([*violations.found, *unreadable])
        is_listed = chooses_from_shortlist(model, generation)
        outline = EngineRequest(
            UNREAD,
            generation,
            deadline=call.deadline,
            bulk=call.is_bulk,
            caller=current_caller(),
            is_listed=is_listed,
        )
        permit = self._take_permit(model.runner, outline, len(readings))
        try:
            inputs, unreadable = await self.read_in_time(readings, call.deadline, is_threaded=is_threaded)
            if unreadable:
                raise InvalidInput(unreadable)
            num_bytes = check_answer(model.manifest, call.attention, generation, inputs, self._answer_limits)
            requests = tuple(engine_requests(inputs, generation, call, is_listed=is_listed))
            if requests:
                permit.extend(requests)
            memory = self.memory(num_bytes)
        except BaseException:
            permit.close()
            raise
        return CallPlan(model, key, generation, inputs, call, requests, permit, memory)

    async def read_in_time(
        self, readings: Sequence[Reading], deadline: float | None, *, is_threaded: bool
    ) -> tuple[tuple[Input, ...], list[FieldViolation]]:
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
    ) -> tuple[tuple[Input, ...], list[FieldViolation]]:
        """Reads all inputs; returns the valid inputs, and the violations of the others."""
        meter = _TokenMeter()
        attempts = [partial(_attempt, reading, meter) for reading in readings]
        with stage("prepare"):
            outcomes = await self._pool.run(attempts) if is_threaded else [attempt() for attempt in attempts]
        refused = [outcome for outcome in outcomes if isinstance(outcome, InvalidInput)]
        inputs = tuple(outcome for outcome in outcomes if not isinstance(outcome, InvalidInput))
        return inputs, [violation for each in refused for violation in each.violations]


def _markup(call: TranslateCall, model: LoadedModel) -> MarkupFormat | None:
    """Returns the format of texts with tags, None for plain ones.

    Raises:
        InvalidInput: the model has no alignment by which tags could be placed, or there are too many of them.
    """
    markup = call.text_options.format
    if markup == "plain":
        return None
    if not model.manifest.attention.is_alignment_usable:
        reason = f"model {model.name!r} has no alignment heads that were chosen by data, so tags cannot be placed"
        raise InvalidInput.of("text_options.format", reason)
    if sum(text.count("<") + text.count("&") for text in call.texts) > MAX_TAGS_PER_CALL:
        found = f"have more than {MAX_TAGS_PER_CALL} tags and entities, the limit of a call"
        raise InvalidInput.of("texts", f"{found}; what helps: fewer texts a call")
    return markup


def _by_text(protected: Sequence[tuple[int, int, int]]) -> dict[int, list[Span]]:
    """Returns ranges by the index of their text; in order."""
    spans: dict[int, list[Span]] = {}
    for text, start, end in sorted(protected):
        spans.setdefault(text, []).append(Span(start, end))
    return spans


def _has_terms(call: TranslateCall | SummarizeCall) -> bool:
    return isinstance(call, TranslateCall) and bool(call.control.terms or call.control.glossaries)


def _are_slow(call: TranslateCall | SummarizeCall) -> bool:
    """Whether reading the texts may hold up the event loop; control tokens may need a tokenizer of their own."""
    return _has_terms(call) or bool(call.control_tokens) or sum(map(len, call.texts)) > MAX_CHARACTERS_ON_EVENT_LOOP


def _read_text(
    reader: SourceReader,
    text: str,
    *,
    field: str,
    key: str,
    truncation: Truncation,
    language: str,
    control_tokens: frozenset[str],
) -> Input:
    if truncation == "split":
        return Input(reader.read_parts(text, field=field, key=key, language=language, control_tokens=control_tokens))
    part = reader.read(
        text, field=field, key=key, language=language, truncation=truncation, control_tokens=control_tokens
    )
    return Input((part,))


def _read_passage(reader: PassageReader, text: str, index: int) -> Input:
    return Input.of_passage(reader.read(text, index))


class _TokenMeter:
    """Counts the tokens of a call while its inputs are read: characters do not tell how many there will be.

    Threads add to it without a lock: one addition may be lost.
    """

    def __init__(self) -> None:
        self.num_tokens = 0

    def add(self, read: Input) -> None:
        """Counts an input that was read."""
        for part in read.parts:
            if isinstance(part, SourceText):
                self.num_tokens += len(part.tokens)

    def check(self) -> None:
        """Raises InvalidInput if the inputs read so far have too many."""
        if self.num_tokens > MAX_TOKENS_PER_CALL:
            raise InvalidInput.of("texts", f"have more than {MAX_TOKENS_PER_CALL} tokens, the limit of a call")


def _read_image(reader: ImageReader, image: bytes, field: str) -> Input:
    return Input((reader.read(image, field=field),))


def _attempt(reading: Reading, meter: _TokenMeter) -> Input | InvalidInput:
    try:
        meter.check()
        read = reading()
    except InvalidInput as error:
        return InvalidInput(error.violations, error.num_more)  # the frames of the first hold the input
    meter.add(read)
    return read


def _control_tokens(call: TranslateCall | SummarizeCall, model: LoadedModel) -> frozenset[str]:
    """Returns the call's control tokens. Raises InvalidInput with every token that the model does not have."""
    if not call.control_tokens:
        return frozenset()
    source = model.manifest.source
    offered = [token.content for token in source.control_tokens] if isinstance(source, TextSource) else []
    unknown = [(index, token) for index, token in enumerate(call.control_tokens) if token not in offered]
    if unknown:
        known = ", ".join(offered[:MAX_LISTED_CONTROL_TOKENS]) or "none"
        known += ", ..." * (len(offered) > MAX_LISTED_CONTROL_TOKENS)
        fault = f"is no control token of model {model.name!r}, which has {known}"
        raise InvalidInput(
            [FieldViolation(f"control_tokens[{index}]", f"{token!r} {fault}") for index, token in unknown]
        )
    return frozenset(call.control_tokens)


def _source_language(call: TranslateCall | PairCall, model: LoadedModel) -> str:
    """Returns the texts' language; "" only for models that do not read its name.

    Raises:
        InvalidInput: the model reads several languages, and the call names none.
        ModelNotFound: the model does not read the call's language.
    """
    sources = model.manifest.source_languages
    if call.source_language:
        return _language("source", call.source_language, model, sources)
    source = model.manifest.source
    if not isinstance(source, TextSource) or not source.needs_source_language:
        return ""
    if len(sources) != 1:
        raise InvalidInput.of("source_language", f"is empty; model {model.name!r} reads {', '.join(sources)}")
    return sources[0]


def _language(side: str, code: str, model: LoadedModel, offered: Sequence[str]) -> str:
    """Returns the model's own name of a language. Raises ModelNotFound if it has none."""
    found = match(code, offered)
    if found is None:
        raise _not_offered(f"{side} language", code, model, offered, meant_language(code, offered))
    return found


def _not_offered(kind: str, name: str, model: LoadedModel, offered: Sequence[str], advice: str = "") -> ModelNotFound:
    return ModelNotFound(f"model {model.name!r} has no {kind} {name!r}; it has {', '.join(offered)}{advice}")
