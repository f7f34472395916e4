"""What every door of the server calls, gRPC and HTTP alike: a call in, results or events out."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from models.bundle import Task
from service.assembly import Assembler
from service.domain import (
    Call,
    CaptionCall,
    ModelInfo,
    Result,
    Started,
    StreamEvent,
    SummarizeCall,
    TranslateCall,
    Truncation,
)
from service.engine.observer import EngineObserver
from service.engine.request import CommittedToken, EngineRequest, EngineResult, Generation
from service.engine.scheduler import Scheduler, SchedulerConfig
from service.errors import InvalidInput, ModelNotFound, Unsupported
from service.generation import Violations, check_attention, resolve_generation
from service.pipelines.text import SourceText
from service.repository import LoadedModel, Repository
from service.settings import Settings


@dataclass(frozen=True)
class Prepared:
    """A call whose model is known and whose inputs are tokenized; nothing has been submitted yet."""

    model: LoadedModel
    generation: Generation
    sources: tuple[SourceText, ...]
    call: Call

    def request(self, index: int, sequence: int = 0) -> EngineRequest:
        """The engine's request for an input; sequences of one sampled input differ by their seed."""
        generation = self.generation
        if generation.sampling is not None:
            sampling = replace(generation.sampling, seed=(generation.sampling.seed + sequence) % 2**63)
            generation = replace(generation, sampling=sampling, num_return_sequences=1)
        return EngineRequest(
            source=self.sources[index].ids,
            generation=generation,
            attention=bool(self.call.attention.kinds),
            deadline=self.call.deadline,
            bulk=self.call.bulk,
        )

    def assembler(self, index: int) -> Assembler:
        return Assembler(self.model, self.sources[index], self.call.attention)


class Handlers:
    """The server's calls, over the models of a repository and the engine that runs them."""

    def __init__(self, repository: Repository, scheduler: Scheduler, *, max_text_characters: int) -> None:
        self._repository = repository
        self._scheduler = scheduler
        self._max_text_characters = max_text_characters

    @classmethod
    def open(cls, settings: Settings, observer: EngineObserver) -> Self:
        """Loads the models and starts the engine.

        Raises:
            NotReady: a model that the settings name is not there.
        """
        repository = Repository(
            settings.model_directories,
            names=settings.models,
            provider=settings.execution_provider,
            precision=settings.wanted_precision,
            defaults=settings.default_models,
        )
        config = SchedulerConfig(settings.num_workers, settings.max_slots, settings.max_queue)
        return cls(repository, Scheduler(config, observer), max_text_characters=settings.max_text_characters)

    async def drain(self, timeout_s: float) -> bool:
        """Lets the engine finish what it has; False if the time was too short."""
        return await self._scheduler.drain(timeout_s)

    def close(self) -> None:
        self._scheduler.close()

    def models(self) -> list[ModelInfo]:
        return self._repository.infos()

    async def load_model(self, name: str, version: str | None) -> ModelInfo:
        raise Unsupported("this server loads its models when it starts; LoadModel is not offered")

    async def unload_model(self, name: str, version: str | None) -> None:
        raise Unsupported("this server keeps its models until it stops; UnloadModel is not offered")

    async def translate(self, call: TranslateCall) -> list[Result]:
        return await self._answer(self._prepare_translation(call))

    def stream_translate(self, call: TranslateCall) -> AsyncIterator[StreamEvent]:
        return self._stream(self._prepare_translation(call))

    async def summarize(self, call: SummarizeCall) -> list[Result]:
        return await self._answer(self._prepare_summary(call))

    def stream_summarize(self, call: SummarizeCall) -> AsyncIterator[StreamEvent]:
        return self._stream(self._prepare_summary(call))

    async def caption(self, call: CaptionCall) -> list[Result]:
        model = self._model(call, "captioning")
        raise Unsupported(f"model {model.name!r}: captioning is not offered by this version")

    def stream_caption(self, call: CaptionCall) -> AsyncIterator[StreamEvent]:
        model = self._model(call, "captioning")
        raise Unsupported(f"model {model.name!r}: captioning is not offered by this version")

    def _model(
        self, call: Call, task: Task, *, source_language: str = "", target_language: str = "", style: str = ""
    ) -> LoadedModel:
        if call.model:
            return self._repository.get(call.model, task)
        return self._repository.default(
            task, source_language=source_language, target_language=target_language, style=style
        )

    def _prepare_translation(self, call: TranslateCall) -> Prepared:
        model = self._model(
            call, "translation", source_language=call.source_language, target_language=call.target_language
        )
        if call.source_language:
            _among("source language", call.source_language, model, model.manifest.source_languages)
        targets = model.manifest.target_languages
        if not call.target_language and len(targets) != 1:
            raise InvalidInput.of("target_language", f"is empty; model {model.name!r} writes {', '.join(targets)}")
        target = call.target_language or targets[0]
        _among("target language", target, model, targets)
        return self._prepare(call, model, call.texts, key=target, truncation=call.truncation)

    def _prepare_summary(self, call: SummarizeCall) -> Prepared:
        model = self._model(call, "summarization", style=call.style)
        styles = model.manifest.styles
        if call.style:
            _among("style", call.style, model, styles)
        return self._prepare(
            call, model, call.texts, key=call.style or (styles[0] if styles else ""), truncation=call.truncation
        )

    def _prepare(
        self, call: Call, model: LoadedModel, texts: Sequence[str], *, key: str, truncation: Truncation | None
    ) -> Prepared:
        """Checks everything that needs the model, tokenizes, and lists all that is wrong at once."""
        if model.reader is None:
            raise Unsupported(f"model {model.name!r} reads no text")
        violations = Violations()
        generation = resolve_generation(call.generation, model.manifest, key, violations)
        check_attention(call.attention, model.manifest, violations)
        sources = []
        for index, text in enumerate(texts):
            name = f"texts[{index}]"
            if len(text) > self._max_text_characters:
                violations.add(name, f"has {len(text)} characters; the limit is {self._max_text_characters}")
                continue
            try:
                sources.append(model.reader.read(text, field=name, key=key, truncation=truncation or "reject"))
            except InvalidInput as error:
                violations.found += error.violations
        violations.raise_if_any()
        return Prepared(model, generation, tuple(sources), call)

    async def _answer(self, prepared: Prepared) -> list[Result]:
        """Runs every input of a call side by side; where one fails, the others are cancelled."""
        sampled = prepared.generation.sampling is not None
        num_sequences = prepared.generation.num_return_sequences if sampled else 1
        requests = [prepared.request(i, n) for i in range(len(prepared.sources)) for n in range(num_sequences)]
        tasks = [asyncio.ensure_future(self._scheduler.generate(prepared.model.runner, r)) for r in requests]
        try:
            finished = await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        groups = [finished[i : i + num_sequences] for i in range(0, len(finished), num_sequences)]
        return [prepared.assembler(i).result(_merge(group)) for i, group in enumerate(groups)]

    async def _stream(self, prepared: Prepared) -> AsyncIterator[StreamEvent]:
        """Yields the source, each token as it becomes certain, and the result."""
        assembler = prepared.assembler(0)
        yield Started(assembler.source, prepared.model.name, prepared.model.manifest.version)
        arrived: asyncio.Queue[list[CommittedToken] | None] = asyncio.Queue()
        running = asyncio.ensure_future(
            self._scheduler.generate(prepared.model.runner, prepared.request(0), arrived.put_nowait)
        )
        running.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            events = assembler.events()
            while (tokens := await arrived.get()) is not None:
                for event in events.add(tokens):
                    yield event
            result = await running
            for event in events.finish(result.hypotheses[0]):
                yield event
            yield assembler.result(result)
        finally:
            running.cancel()


def _merge(results: Sequence[EngineResult]) -> EngineResult:
    """Several samples of one input as one result, best first."""
    if len(results) == 1:
        return results[0]
    hypotheses = sorted((h for result in results for h in result.hypotheses), key=lambda h: -h.score)
    return replace(results[0], hypotheses=tuple(hypotheses), decode_s=max(result.decode_s for result in results))


def _among(what: str, value: str, model: LoadedModel, offered: Sequence[str]) -> None:
    if value not in offered:
        raise ModelNotFound(f"model {model.name!r} has no {what} {value!r}; it has {', '.join(offered)}")
