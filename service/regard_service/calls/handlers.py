"""What every door of the server calls, gRPC and HTTP alike: a call in, results or events out."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Self

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.app.settings import Settings
from regard_service.calls.assembly import Parts
from regard_service.calls.pool import Pool
from regard_service.calls.preparation import Prepared, Preparer, sequences
from regard_service.domain import (
    CaptionCall,
    ModelInfo,
    Result,
    Started,
    StreamEvent,
    SummarizeCall,
    TranslateCall,
)
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.core.result import CommittedToken, EngineResult
from regard_service.engine.driver.engine import Engine
from regard_service.engine.driver.permit import Permit
from regard_service.engine.policy.policy import EngineConfig
from regard_service.engine.runtime.runner import Runner
from regard_service.engine.runtime.trace import Trace
from regard_service.engine.usage import Usage, usage_of
from regard_service.maps.maker import needs_trace
from regard_service.observability.tracing.record import stage
from regard_service.pictures.reader import ImageLimits, SourceImage
from regard_service.repository.limits import ModelLimits
from regard_service.repository.repository import Repository
from regard_service.text.text import SourceText

# Inputs that wait to be read, over all calls: a picture's file is larger than what the engine's queue holds of it.
MAX_UNREAD = 256

FREED_CHECK_S = 0.02


class Handlers:
    """The server's calls, over the models of a repository and the engine that runs them."""

    def __init__(self, repository: Repository, engine: Engine, pool: Pool, *, max_text_characters: int) -> None:
        self._repository = repository
        self._engine = engine
        self._pool = pool
        self._loading = asyncio.Lock()
        self._preparer = Preparer(repository, pool, engine.permit, max_text_characters=max_text_characters)

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
            limits=ModelLimits(settings.max_models, settings.max_models_bytes),
            num_cores=settings.num_workers,
        )
        config = EngineConfig(
            settings.num_workers,
            settings.max_slots,
            settings.max_queue,
            settings.max_queue_tokens,
            settings.max_queue_s,
        )
        pool = Pool(settings.num_workers, min(settings.max_queue, MAX_UNREAD))
        return cls(repository, Engine(config, observer), pool, max_text_characters=settings.max_text_characters)

    async def drain(self, timeout_s: float) -> bool:
        """Lets the engine finish what it has; False if the time was too short."""
        return await self._engine.drain(timeout_s)

    def close(self) -> None:
        self._pool.close()
        self._engine.close()

    def stalled_s(self) -> float:
        """For how long the engine has been at one step; 0 if it has nothing to do."""
        return self._engine.stalled_s()

    def usage(self) -> dict[str, Usage]:
        """What the engine's batches take up, by model."""
        return usage_of(self._engine.batches())

    def models(self) -> list[ModelInfo]:
        return self._repository.infos()

    async def load_model(self, name: str, version: str | None) -> ModelInfo:
        """Reads a model and warms it up in a thread; then it serves, and the version before it gets no new requests.

        Raises:
            ModelNotFound: the model directories have no such model or version.
            LoadFailed: it cannot be served; what served before does so still.
            ModelLimit: there is no room for it beside those that are loaded.
        """
        async with self._loading:
            model = await asyncio.to_thread(self._repository.read, name, version)
            replaced = self._repository.install(model)
        if replaced is not None:
            self._engine.retire(replaced.runner)
        return next(info for info in self._repository.infos() if info.manifest is model.manifest)

    async def unload_model(self, name: str, version: str | None) -> None:
        """Takes a model out of service; the requests that it has are finished. Raises ModelNotFound."""
        self._engine.retire(self._repository.remove(name, version).runner)

    async def wait_until_freed(self, name: str) -> None:
        """Returns once no version of a model that is out of service is in memory."""
        # Calls, batches and maps hold the graphs, and the last to let go of them frees them. Where an error kept one
        # of those in a cycle, only the garbage collector ends it; that takes long, so it is asked for ever less often.
        begin, collect_after_s = time.monotonic(), 1.0
        while self._repository.is_leaving(name):
            await asyncio.sleep(FREED_CHECK_S)
            if time.monotonic() - begin > collect_after_s:
                await asyncio.to_thread(gc.collect)
                collect_after_s *= 2

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
        with prepared.permit as permit:
            finished = iter(await permit.run_all(prepared.requests))
        results = []
        for index, parts in enumerate(prepared.inputs):
            num_sequences = len(sequences(parts, prepared.generation))
            merged = [_merge(list(islice(finished, num_sequences))) for _ in parts]
            traced = await self._traced(prepared, parts, merged)
            assemble = partial(prepared.assembler(index).result, traced)
            with stage("detokenize"):
                # The maps of a long text are large; others take no longer than a thread would.
                results.append(await asyncio.to_thread(assemble) if len(parts) > 1 else assemble())
        return results

    async def _traced(self, prepared: Prepared, parts: Parts, results: list[EngineResult]) -> list[EngineResult]:
        """Adds the maps that the steps do not tell, where they were asked for."""
        if not needs_trace(prepared.call.attention):
            return results
        runner = prepared.model.runner
        hypotheses = [(part, each) for part, result in zip(parts, results, strict=True) for each in result.hypotheses]
        with stage("attention"):
            traces = await self._pool.run([partial(_trace, runner, part, each.tokens) for part, each in hypotheses])
        traced = iter([replace(each, trace=trace) for (_, each), trace in zip(hypotheses, traces, strict=True)])
        return [replace(result, hypotheses=tuple(islice(traced, len(result.hypotheses)))) for result in results]

    async def _cross_norms(self, prepared: Prepared) -> Float32Array | None:
        """Norms of the source's values, by which a stream's rows are weighed, if they were asked for."""
        if not (prepared.call.attention.value_norms and prepared.call.attention.kinds):
            return None
        part = prepared.inputs[0][0]
        (trace,) = await self._pool.run([partial(_trace, prepared.model.runner, part, np.zeros(1, np.int64))])
        return trace.cross_norms

    async def _stream(self, prepare: Callable[[], Awaitable[Prepared]]) -> AsyncIterator[StreamEvent]:
        """Yields the source, each token as it becomes certain, and the result."""
        prepared = await prepare()
        with prepared.permit as permit:
            async for event in self._stream_prepared(prepared, permit):
                yield event

    async def _stream_prepared(self, prepared: Prepared, permit: Permit) -> AsyncIterator[StreamEvent]:
        request, assembler = prepared.requests[0], prepared.assembler(0)
        yield Started(assembler.source, prepared.model.name, prepared.model.manifest.version)
        arrived: asyncio.Queue[list[CommittedToken] | None] = asyncio.Queue()
        running = asyncio.ensure_future(permit.run(request, arrived.put_nowait))
        running.add_done_callback(lambda _: arrived.put_nowait(None))
        try:
            events = assembler.events(await self._cross_norms(prepared))
            while (tokens := await arrived.get()) is not None:
                for event in events.add(tokens):
                    yield event
            result = await running
            for event in events.finish(result.hypotheses[0]):
                yield event
            traced = await self._traced(prepared, prepared.inputs[0], [result])
            with stage("detokenize"):
                finished = assembler.result(traced)
            yield finished
        finally:
            running.cancel()


def _trace(runner: Runner, part: SourceImage | SourceText, tokens: Int64Array) -> Trace:
    """The trace of an output; the decoder read all of it but the last token."""
    start_id = runner.manifest.target.start_id
    return runner.trace(part.array, np.concatenate([[start_id], tokens[:-1]]))


def _merge(results: Sequence[EngineResult]) -> EngineResult:
    """Several samples of one input as one result, best first."""
    if len(results) == 1:
        return results[0]
    hypotheses = sorted((h for result in results for h in result.hypotheses), key=lambda h: -h.score)
    return replace(results[0], hypotheses=tuple(hypotheses), decode_s=max(result.decode_s for result in results))
