"""AttentionService: translate, summarize, caption, unary and streaming; score, align, and models without a decoder."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import grpc

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.calls.data_plane import DataPlane
from regard_service.convert.documents import read_document, write_document_event
from regard_service.convert.one_step import (
    is_slow_to_write,
    read_answer,
    read_classify,
    read_detect,
    read_encode,
    read_fill_mask,
    write_answer,
    write_classify,
    write_detect,
    write_encode,
    write_fill_mask,
)
from regard_service.convert.pairs import read_align, read_score
from regard_service.convert.requests import RequestReader, as_stream_error
from regard_service.convert.responses import Event, Response, are_large, write_event, write_response
from regard_service.domain.calls import Call
from regard_service.domain.documents import DocumentEvent, DocumentFinished, DocumentStarted
from regard_service.domain.elements import NO_RULES, ElementRules
from regard_service.domain.outputs import EncodeResult, OneStepResult
from regard_service.domain.results import Result, Started, StreamEvent
from regard_service.errors import InvalidInput
from regard_service.observability import logs
from regard_service.observability.metrics import AttentionMetrics, OutputMetrics

Context = grpc.aio.ServicerContext[Any, Any]
AnyCall = TypeVar("AnyCall", bound=Call)
Written = TypeVar("Written")


class AttentionServicer(pb_grpc.AttentionServiceServicer):
    """Converts, calls the data plane, converts back."""

    def __init__(
        self, data_plane: DataPlane, reader: RequestReader, sent_maps: AttentionMetrics, outputs: OutputMetrics
    ) -> None:
        self._data_plane = data_plane
        self._outputs = outputs
        self._reader = reader
        self._sent_maps = sent_maps

    async def Translate(self, request: pb.TranslateRequest, context: Context) -> pb.TranslateResponse:  # noqa: N802
        """Translates texts; one result per input, in order."""
        call = self._reader.translate(request, context.time_remaining())
        return await self._response(await self._data_plane.translate(call), call, pb.TranslateResponse)

    async def translated(
        self, request: pb.TranslateRequest, context: Context, elements: ElementRules = NO_RULES
    ) -> list[Result]:
        """Translates texts for a transport that writes results itself. Args: elements: which no request states."""
        call = self._reader.translate(request, context.time_remaining())
        if elements != NO_RULES:
            call = replace(call, text_options=replace(call.text_options, elements=elements))
        results = await self._data_plane.translate(call)
        self._record(results, call)
        return results

    async def StreamTranslate(  # noqa: N802
        self, request: pb.StreamTranslateRequest, context: Context
    ) -> AsyncIterator[pb.StreamTranslateResponse]:
        """Translates one text token by token."""
        call = self._reader.translate(request, context.time_remaining())
        async with self._stream(self._data_plane.stream_translate, call, pb.StreamTranslateResponse) as events:
            async for event in events:
                yield event

    async def TranslateDocument(  # noqa: N802
        self, request: pb.TranslateDocumentRequest, context: Context
    ) -> AsyncIterator[pb.TranslateDocumentResponse]:
        """Translates a file."""
        async with aclosing(self.document_events(request, context)) as events:
            async for event in events:
                yield write_document_event(event)

    async def document_events(
        self, request: pb.TranslateDocumentRequest, context: Context
    ) -> AsyncGenerator[DocumentEvent, None]:
        """Translates a file for a transport that writes events itself. The caller closes the iterator."""
        call = read_document(request, self._reader, context.time_remaining())
        events = self._data_plane.translate_document(call)
        try:
            async for event in events:
                if isinstance(event, DocumentStarted):
                    logs.note(num_inputs=event.num_units, media_type=event.media_type)
                elif isinstance(event, DocumentFinished):
                    logs.note(model=f"{event.model}@{event.version}", num_warnings=len(event.warnings))
                yield event
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    async def Summarize(self, request: pb.SummarizeRequest, context: Context) -> pb.SummarizeResponse:  # noqa: N802
        """Summarizes texts; one result per input, in order."""
        call = self._reader.summarize(request, context.time_remaining())
        return await self._response(await self._data_plane.summarize(call), call, pb.SummarizeResponse)

    async def summarized(self, request: pb.SummarizeRequest, context: Context) -> list[Result]:
        """Summarizes texts for a transport that writes results itself."""
        call = self._reader.summarize(request, context.time_remaining())
        results = await self._data_plane.summarize(call)
        self._record(results, call)
        return results

    async def StreamSummarize(  # noqa: N802
        self, request: pb.StreamSummarizeRequest, context: Context
    ) -> AsyncIterator[pb.StreamSummarizeResponse]:
        """Summarizes one text token by token."""
        call = self._reader.summarize(request, context.time_remaining())
        async with self._stream(self._data_plane.stream_summarize, call, pb.StreamSummarizeResponse) as events:
            async for event in events:
                yield event

    async def Caption(self, request: pb.CaptionRequest, context: Context) -> pb.CaptionResponse:  # noqa: N802
        """Describes pictures; one result per input, in order."""
        call = self._reader.caption(request, context.time_remaining())
        return await self._response(await self._data_plane.caption(call), call, pb.CaptionResponse)

    async def captioned(self, request: pb.CaptionRequest, context: Context) -> list[Result]:
        """Describes pictures for a transport that writes results itself."""
        call = self._reader.caption(request, context.time_remaining())
        results = await self._data_plane.caption(call)
        self._record(results, call)
        return results

    async def StreamCaption(  # noqa: N802
        self, request: pb.StreamCaptionRequest, context: Context
    ) -> AsyncIterator[pb.StreamCaptionResponse]:
        """Describes one picture token by token."""
        call = self._reader.caption(request, context.time_remaining())
        async with self._stream(self._data_plane.stream_caption, call, pb.StreamCaptionResponse) as events:
            async for event in events:
                yield event

    async def Score(self, request: pb.ScoreRequest, context: Context) -> pb.ScoreResponse:  # noqa: N802
        """Scores given pairs; one result per pair, in order."""
        call = read_score(request, self._reader, context.time_remaining())
        return await self._response(await self._data_plane.score(call), call, pb.ScoreResponse)

    async def Align(self, request: pb.AlignRequest, context: Context) -> pb.AlignResponse:  # noqa: N802
        """Aligns given pairs; one result per pair, in order."""
        call = read_align(request, self._reader, context.time_remaining())
        return await self._response(await self._data_plane.align(call), call, pb.AlignResponse)

    async def Encode(self, request: pb.EncodeRequest, context: Context) -> pb.EncodeResponse:  # noqa: N802
        """Turns texts into vectors; one result per text, in order."""
        call = read_encode(request, self._reader, context.time_remaining())
        results = await self._data_plane.encode(call)
        return await self._one_step(results, call, partial(write_encode, results, call.attention))

    async def encoded(self, request: pb.EncodeRequest, context: Context) -> list[EncodeResult]:
        """Turns texts into vectors for a transport that writes results itself."""
        call = read_encode(request, self._reader, context.time_remaining())
        results = await self._data_plane.encode(call)
        self._record_one_step(results, call)
        return results

    async def Classify(self, request: pb.ClassifyRequest, context: Context) -> pb.ClassifyResponse:  # noqa: N802
        """Labels texts or pictures; one result per input, in order."""
        call = read_classify(request, self._reader, context.time_remaining())
        results = await self._data_plane.classify(call)
        return await self._one_step(results, call, partial(write_classify, results, call.attention))

    async def FillMask(self, request: pb.FillMaskRequest, context: Context) -> pb.FillMaskResponse:  # noqa: N802
        """Fills the masks of texts; one result per text, in order."""
        call = read_fill_mask(request, self._reader, context.time_remaining())
        results = await self._data_plane.fill_mask(call)
        return await self._one_step(results, call, partial(write_fill_mask, results, call.attention))

    async def Detect(self, request: pb.DetectRequest, context: Context) -> pb.DetectResponse:  # noqa: N802
        """Finds objects in pictures; one result per picture, in order."""
        call = read_detect(request, self._reader, context.time_remaining())
        results = await self._data_plane.detect_objects(call)
        return await self._one_step(results, call, partial(write_detect, results, call.attention))

    async def Answer(self, request: pb.AnswerRequest, context: Context) -> pb.AnswerResponse:  # noqa: N802
        """Answers questions about pictures; one result per question and picture, in order."""
        call = read_answer(request, self._reader, context.time_remaining())
        results = await self._data_plane.answer(call)
        return await self._one_step(results, call, partial(write_answer, results, call.attention))

    async def _one_step(self, results: Sequence[OneStepResult], call: Call, write: Callable[[], Written]) -> Written:
        """Writes the answer of a model without a decoder."""
        self._record_one_step(results, call)
        return await self._data_plane.apart(write) if is_slow_to_write(results) else write()

    def _record_one_step(self, results: Sequence[OneStepResult], call: Call) -> None:
        """Adds names and numbers of the results, and no text, to the call's line in the log; counts the maps."""
        reads = [result.read for result in results]
        logs.note(
            model=f"{reads[0].model}@{reads[0].version}",
            num_inputs=len(reads),
            num_source_tokens=sum(read.num_tokens for read in reads),
        )
        for read in reads:
            self._sent_maps.count(read.model, read.maps, call.attention)

    async def _response(self, results: Sequence[Result], call: Call, response_class: type[Response]) -> Response:
        self._record(results, call)
        write = partial(write_response, results, call.attention, response_class)
        return await self._data_plane.apart(write) if are_large(results) else write()

    @asynccontextmanager
    async def _stream(
        self, run: Callable[[AnyCall], AsyncIterator[StreamEvent]], call: AnyCall, event_class: type[Event]
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Yields a call's events as messages. Closes the call with the block, also when the client leaves."""
        try:
            events = run(call)
            try:
                yield self._messages(events, call, event_class)
            finally:
                if isinstance(events, AsyncGenerator):
                    await events.aclose()
        except InvalidInput as error:
            raise as_stream_error(error) from error

    async def _messages(
        self, events: AsyncIterator[StreamEvent], call: Call, event_class: type[Event]
    ) -> AsyncIterator[Event]:
        model = ""
        async for event in events:
            if isinstance(event, Started):
                model = event.model
                logs.note(model=f"{model}@{event.version}", num_inputs=1)
            elif isinstance(event, Result):
                self._record([event], call)
            elif event.maps:
                self._sent_maps.count(model, event.maps, call.attention)
            write = partial(write_event, event, call.attention, event_class)
            is_large = isinstance(event, Result) and are_large([event])
            yield await self._data_plane.apart(write) if is_large else write()

    def _record(self, results: Sequence[Result], call: Call) -> None:
        """Adds names and numbers of the results, and no text, to the call's line in the log; counts the maps."""
        if not results:
            return
        logs.note(
            model=f"{results[0].model}@{results[0].version}",
            num_inputs=len(results),
            num_source_tokens=sum(len(result.source.tokens) for result in results),
            num_target_tokens=sum(len(result.hypotheses[0].tokens) for result in results),
        )
        self._outputs.count(results)
        if call.attention.kinds:
            for result in results:
                self._sent_maps.count(result.model, result.all_maps(), call.attention)
