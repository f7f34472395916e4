"""From a call to what the engine runs: the model is chosen, options are resolved, inputs are read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from regard_service.bundle import Task, TextSource
from regard_service.calls.assembly import Assembler, Parts
from regard_service.calls.options import Violations, check_attention, resolve_generation
from regard_service.calls.pool import Pool
from regard_service.domain import Call, CaptionCall, SummarizeCall, TranslateCall, Truncation
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.driver.permit import Permit
from regard_service.engine.runtime.runner import Runner
from regard_service.errors import FieldViolation, InvalidInput, ModelNotFound, Unsupported
from regard_service.generation import Generation
from regard_service.guard.caller import current_caller
from regard_service.observability.tracing.record import stage, watcher
from regard_service.pictures.reader import ImageReader
from regard_service.repository.repository import LoadedModel, Repository
from regard_service.text.text import SourceReader

# Fewer characters are tokenized in about a millisecond, which a thread would not repay.
MANY_CHARACTERS = 4_000

Reading = Callable[[], Parts]
"""Reads an input, or raises InvalidInput."""

TakePermit = Callable[[Runner, EngineRequest, int], Permit]
"""Takes a permit for requests like one before their inputs are read; raises Overloaded where there is none."""

UNREAD = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Prepared:
    """A call whose model is known and whose inputs are read; nothing has been submitted yet.

    Attributes:
        inputs: each a text or a picture, or the parts of a text that had to be split.
        requests: what the engine runs: of every input every part, and of a part every sequence.
        permit: the call's places in the queue; whoever holds this closes it.
    """

    model: LoadedModel
    generation: Generation
    inputs: tuple[Parts, ...]
    call: Call
    requests: tuple[EngineRequest, ...]
    permit: Permit

    def assembler(self, index: int) -> Assembler:
        return Assembler(self.model, self.inputs[index], self.call.attention, self.generation)


class Preparer:
    """Prepares calls for the models of a repository.

    Args:
        take_permit: called before inputs are read.

    Every method lists all that is wrong with a call at once, as InvalidInput.
    """

    def __init__(
        self, repository: Repository, pool: Pool, take_permit: TakePermit, *, max_text_characters: int
    ) -> None:
        self._repository = repository
        self._take_permit = take_permit
        self._pool = pool
        self._max_text_characters = max_text_characters

    async def translation(self, call: TranslateCall) -> Prepared:
        model = self._model(
            call, "translation", source_language=call.source_language, target_language=call.target_language
        )
        targets = model.manifest.target_languages
        if not call.target_language and len(targets) != 1:
            raise InvalidInput.of("target_language", f"is empty; model {model.name!r} writes {', '.join(targets)}")
        target = call.target_language or targets[0]
        _among("target language", target, model, targets)
        language = _source_language(call, model)
        readings = self._texts(model, call.texts, target, call.truncation, language=language)
        return await self._prepare(call, model, target, readings, _are_long(call.texts))

    async def summary(self, call: SummarizeCall) -> Prepared:
        model = self._model(call, "summarization", style=call.style)
        styles = model.manifest.styles
        if call.style:
            _among("style", call.style, model, styles)
        style = call.style or (styles[0] if styles else "")
        readings = self._texts(model, call.texts, style, call.truncation)
        return await self._prepare(call, model, style, readings, _are_long(call.texts))

    async def caption(self, call: CaptionCall) -> Prepared:
        model = self._model(call, "captioning")
        return await self._prepare(call, model, "", self._images(model, call.images), in_threads=True)

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
            partial(
                self._read_text, reader, text, field=f"texts[{index}]", key=key, truncation=chosen, language=language
            )
            for index, text in enumerate(texts)
        ]

    def _read_text(
        self, reader: SourceReader, text: str, *, field: str, key: str, truncation: Truncation, language: str
    ) -> Parts:
        if len(text) > self._max_text_characters:
            raise InvalidInput.of(field, f"has {len(text)} characters; the limit is {self._max_text_characters}")
        if truncation == "split":
            return reader.read_parts(text, field=field, key=key, language=language)
        return (reader.read(text, field=field, key=key, truncation=truncation, language=language),)

    def _images(self, model: LoadedModel, images: Sequence[bytes]) -> Sequence[Reading]:
        reader = model.reader
        if not isinstance(reader, ImageReader):
            raise Unsupported(f"model {model.name!r} reads no pictures")
        return [partial(_read_image, reader, image, f"images[{index}]") for index, image in enumerate(images)]

    async def _prepare(
        self, call: Call, model: LoadedModel, key: str, readings: Sequence[Reading], in_threads: bool
    ) -> Prepared:
        violations = Violations()
        generation = resolve_generation(call.generation, model.manifest, key, violations)
        check_attention(call.attention, model.manifest, violations)
        if violations.found:
            raise InvalidInput([*violations.found, *(await self._read(readings, in_threads)).violations])
        outline = EngineRequest(UNREAD, generation, deadline=call.deadline, bulk=call.bulk, caller=current_caller())
        permit = self._take_permit(model.runner, outline, len(readings))
        try:
            read = await self._read(readings, in_threads)
            if read.violations:
                raise InvalidInput(read.violations)
            requests = tuple(_requests(read.inputs, generation, call))
            permit.extend(requests)
        except BaseException:
            permit.close()
            raise
        return Prepared(model, generation, read.inputs, call, requests, permit)

    async def _read(self, readings: Sequence[Reading], in_threads: bool) -> "_Read":
        """Reads all inputs; those that cannot be read have violations instead."""
        attempts = [partial(_attempt, reading) for reading in readings]
        with stage("prepare"):
            outcomes = await self._pool.run(attempts) if in_threads else [attempt() for attempt in attempts]
        faults = [outcome for outcome in outcomes if isinstance(outcome, InvalidInput)]
        inputs = tuple(outcome for outcome in outcomes if not isinstance(outcome, InvalidInput))
        return _Read(inputs, [violation for fault in faults for violation in fault.violations])


@dataclass(frozen=True)
class _Read:
    """A call's inputs, as far as they can be read, and what is wrong with the others."""

    inputs: tuple[Parts, ...]
    violations: list[FieldViolation]


def _requests(inputs: Sequence[Parts], generation: Generation, call: Call) -> Iterator[EngineRequest]:
    """Yields what the engine runs: of every input every part, and of a part every sequence."""
    watch, caller = watcher(), current_caller()
    for parts in inputs:
        for part in parts:
            for each in sequences(parts, generation):
                yield EngineRequest(
                    source=part.array,
                    generation=each,
                    attention=bool(call.attention.kinds),
                    deadline=call.deadline,
                    bulk=call.bulk,
                    watch=watch,
                    caller=caller,
                )


def sequences(parts: Parts, generation: Generation) -> list[Generation]:
    """How each part is decoded: once, or for sampling once a return sequence, each with a seed of its own."""
    sampling = generation.sampling
    count = 1 if len(parts) > 1 else generation.num_return_sequences
    if sampling is None:
        is_same = generation.num_return_sequences == count
        return [generation if is_same else replace(generation, num_return_sequences=count)]
    seeds = [(sampling.seed + number) % 2**63 for number in range(count)]
    return [replace(generation, num_return_sequences=1, sampling=replace(sampling, seed=seed)) for seed in seeds]


def _are_long(texts: Sequence[str]) -> bool:
    return sum(map(len, texts)) > MANY_CHARACTERS


def _read_image(reader: ImageReader, image: bytes, field: str) -> Parts:
    return (reader.read(image, field=field),)


def _attempt(reading: Reading) -> Parts | InvalidInput:
    try:
        return reading()
    except InvalidInput as error:
        return error


def _source_language(call: TranslateCall, model: LoadedModel) -> str:
    """The texts' language; "" only where the model need not know it.

    Raises:
        InvalidInput, ModelNotFound: the model must be told, or does not read this language.
    """
    sources = model.manifest.source_languages
    if call.source_language:
        _among("source language", call.source_language, model, sources)
        return call.source_language
    source = model.manifest.source
    if not isinstance(source, TextSource) or not source.is_told_the_language:
        return ""
    if len(sources) != 1:
        raise InvalidInput.of("source_language", f"is empty; model {model.name!r} reads {', '.join(sources)}")
    return sources[0]


def _among(what: str, value: str, model: LoadedModel, offered: Sequence[str]) -> None:
    if value not in offered:
        raise ModelNotFound(f"model {model.name!r} has no {what} {value!r}; it has {', '.join(offered)}")
