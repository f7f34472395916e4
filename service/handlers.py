"""What every door of the server calls, gRPC and HTTP alike: a call in, results or events out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Self

from service.domain import (
    CaptionCall,
    ModelInfo,
    Result,
    Started,
    StreamEvent,
    SummarizeCall,
    TranslateCall,
)
from service.engine.observer import EngineObserver
from service.engine.request import CommittedToken, EngineRequest, EngineResult
from service.engine.runner import Runner
from service.engine.scheduler import Scheduler, SchedulerConfig
from service.errors import Unsupported
from service.pipelines.image import ImageLimits
from service.pipelines.pool import Pool
from service.preparation import Prepared, Preparer
from service.repository import Repository
from service.settings import Settings

# Requests of one call that the engine has at a time, so that a text of very many parts does not fill the queue.
MAX_AT_ONCE = 128


class Handlers:
    """The server's calls, over the models of a repository and the engine that runs them."""

    def __init__(self, repository: Repository, scheduler: Scheduler, pool: Pool, *, max_text_characters: int) -> None:
        self._repository = repository
        self._scheduler = scheduler
        self._pool = pool
        self._preparer = Preparer(repository, pool, max_text_characters=max_text_characters)

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
            image_limits=ImageLimits(settings.max_image_pixels, settings.max_image_side),
        )
        config = SchedulerConfig(settings.num_workers, settings.max_slots, settings.max_queue)
        pool = Pool(settings.num_workers, settings.max_queue)
        return cls(repository, Scheduler(config, observer), pool, max_text_characters=settings.max_text_characters)

    async def drain(self, timeout_s: float) -> bool:
        """Lets the engine finish what it has; False if the time was too short."""
        return await self._scheduler.drain(timeout_s)

    def close(self) -> None:
        self._pool.close()
        self._scheduler.close()

    def models(self) -> list[ModelInfo]:
        return self._repository.infos()

    async def load_model(self, name: str, version: str | None) -> ModelInfo:
        raise Unsupported("this server loads its models when it starts; LoadModel is not offered")

    async def unload_model(self, name: str, version: str | None) -> None:
        raise Unsupported("this server keeps its models until it stops; UnloadModel is not offered")

    async def translate(self, call: TranslateCall) -> list[Result]:
        return await self._answer(await self._preparer.translation(call))

    def stream_translate(self, call: TranslateCall) -> AsyncIterator[StreamEvent]:
        return self._stream(partial(self._preparer.translation, call))

    async def summarize(self, call: SummarizeCall) -> list[Result]:
        return await self._answer(await self._preparer.summary(call))

    def stream_summarize(self, call: SummarizeCall) -> AsyncIterator[StreamEvent]:
        return self._stream(partial(self._preparer.summary, call))

    async def caption(self, call: CaptionCall) -> list[Result]:
        return await self._answer(await self._preparer.caption(call))

    def stream_caption(self, call: CaptionCall) -> AsyncIterator[StreamEvent]:
        return self._stream(partial(self._preparer.caption, call))

    async def _answer(self, prepared: Prepared) -> list[Result]:
        """Runs all of a call side by side, and puts together what belongs to each input."""
        finished = iter(await self._run(prepared.model.runner, list(prepared.requests())))
        results = []
        for index, parts in enumerate(prepared.inputs):
            num_sequences = len(prepared.sequences(parts))
            merged = [_merge(list(islice(finished, num_sequences))) for _ in parts]
            results.append(prepared.assembler(index).result(merged))
        return results

    async def _run(self, runner: Runner, requests: Sequence[EngineRequest]) -> list[EngineResult]:
        """The engine's results, in order; where one request fails, the others are cancelled."""
        if len(requests) == 1:  # most calls; tasks would only take time
            return [await self._scheduler.generate(runner, requests[0])]
        places = asyncio.Semaphore(MAX_AT_ONCE)

        async def run(request: EngineRequest) -> EngineResult:
            async with places:
                return await self._scheduler.generate(runner, request)

        tasks = [asyncio.ensure_future(run(request)) for request in requests]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            raise

    async def _stream(self, prepare: Callable[[], Awaitable[Prepared]]) -> AsyncIterator[StreamEvent]:
        """Yields the source, each token as it becomes certain, and the result."""
        prepared = await prepare()
        request, assembler = next(prepared.requests()), prepared.assembler(0)
        yield Started(assembler.source, prepared.model.name, prepared.model.manifest.version)
        arrived: asyncio.Queue[list[CommittedToken] | None] = asyncio.Queue()
        running = asyncio.ensure_future(self._scheduler.generate(prepared.model.runner, request, arrived.put_nowait))
        running.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            events = assembler.events()
            while (tokens := await arrived.get()) is not None:
                for event in events.add(tokens):
                    yield event
            result = await running
            for event in events.finish(result.hypotheses[0]):
                yield event
            yield assembler.result([result])
        finally:
            running.cancel()


def _merge(results: Sequence[EngineResult]) -> EngineResult:
    """Several samples of one input as one result, best first."""
    if len(results) == 1:
        return results[0]
    hypotheses = sorted((h for result in results for h in result.hypotheses), key=lambda h: -h.score)
    return replace(results[0], hypotheses=tuple(hypotheses), decode_s=max(result.decode_s for result in results))
