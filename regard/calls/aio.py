"""The client for asyncio; `regard.calls.client` has the blocking one."""

# A timeout is the call's deadline, which the server must know; asyncio's own timeouts do not reach it.
# ruff: noqa: ASYNC109

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, overload

import grpc
from google.protobuf.message import Message

from regard.calls import mapping, requests
from regard.calls.base_client import BaseClient
from regard.calls.channel import DRAINING_PAUSES_S, channel_options, deadline, is_draining
from regard.calls.documents import DocumentLike, OnProgress, translate_document
from regard.calls.options import (
    AlignOptions,
    AnswerOptions,
    CallOptions,
    ClassifyOptions,
    DetectOptions,
    DocumentOptions,
    EncodeOptions,
    FillMaskOptions,
    Pairs,
    ScoreOptions,
    Terms,
    TextOptions,
    Texts,
    TranslateOptions,
)
from regard.calls.results import (
    ClassifyResult,
    Event,
    Result,
    StreamResponse,
    as_answer,
    read_event,
    read_results,
)
from regard.calls.target import DEFAULT_TARGET, Metadata
from regard.errors import BadResponse, Cancelled, Unavailable
from regard.errors.names import check_names
from regard.errors.statuses import translated_errors
from regard.names import Task
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs
from regard.values.detections import DetectResult
from regard.values.documents import DocumentEvent, DocumentProgress, TranslatedDocument, read_document_event
from regard.values.encodings import AnswerResult, EncodeResult, FillMaskResult
from regard.values.glossaries import Glossary, term_of
from regard.values.model import Model, version_before
from regard.wire.images import ImageLike, read_image

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)
EventT = TypeVar("EventT", bound=StreamResponse)


class _Connection:
    """A channel with its stubs; they belong to an event loop."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None) -> None:
        options = channel_options(target)
        self.loop = asyncio.get_running_loop()
        self.channel = (
            grpc.aio.insecure_channel(target, options)
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, options)
        )
        self.attention = stubs.AttentionServiceStub(self.channel)
        self.models = stubs.ModelServiceStub(self.channel)
        self.glossaries = stubs.GlossaryServiceStub(self.channel)


class AsyncClient(BaseClient):
    """Calls a Regard server from an event loop.

    Example:
        async with regard.AsyncClient("localhost:50051") as client:
            result = await client.translate("Where is the library?", to="de", attention=True)
            print(result.text, result.alignment.values)

    A call with one input returns its result; a call with a list of inputs returns a list of results in the same order.
    `regard.calls.options` documents the options, `regard.errors` the errors. Many calls may be in flight at once.

    A client may be made outside of an event loop. It belongs to the loop of its first call; when that one is closed, to
    the loop of the next call.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout: float = 60.0,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Metadata = (),
    ) -> None:
        """Makes a client, which connects at its first call.

        Args:
            target: "host:port", or any other name that gRPC resolves. Without a port, it is 50051.
            timeout: limit in seconds of calls without a `timeout` of their own; `math.inf` is no limit.
            credentials: for TLS; None sends plain text.
            metadata: sent with every call, as pairs or as a dictionary: {"authorization": "Bearer ..."}.

        Raises:
            TypeError, ValueError: the target is no "host:port", or another argument is not what it must be.
        """
        super().__init__(target, timeout=timeout, credentials=credentials, metadata=metadata)
        self._connection: _Connection | None = None

    async def close(self) -> None:
        """Closes the connection and cancels the calls that are in flight."""
        self._is_closed = True
        if self._connection is not None and not self._connection.loop.is_closed():
            await self._connection.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @overload
    async def translate(self, texts: str, to: str = "", **options: Unpack[TranslateOptions]) -> Result: ...
    @overload
    async def translate(self, texts: Texts, to: str = "", **options: Unpack[TranslateOptions]) -> list[Result]: ...
    async def translate(
        self, texts: str | Texts, to: str = "", **options: Unpack[TranslateOptions]
    ) -> Result | list[Result]:
        """Translates one text, or several.

        Args:
            texts: one text, or several: a list, a generator, a column of a table.
            to: target language, such as "de"; "" if the model has only one.
            options: model, source language, search, attention maps, truncation, priority and timeout.
        """
        is_single, many = requests.as_list(texts)
        request = requests.translate(many, to, options)
        response = await self._call(self._attention.Translate, request, options.get("timeout"))
        return read_results(response.results, is_single)

    def stream_translate(self, text: str, to: str = "", **options: Unpack[TranslateOptions]) -> AsyncIterator[Event]:
        """Translates a text and yields events: Started, TokenMade for each token as soon as it is final, Finished.

        Arguments are those of `translate`. Closing the iterator (`aclose`) cancels the call.
        """
        request = requests.stream_translate(text, to, options)
        return self._stream(self._attention.StreamTranslate, request, options.get("timeout"))

    async def translate_document(
        self,
        document: DocumentLike,
        to: str = "",
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[DocumentOptions],
    ) -> TranslatedDocument:
        """Translates a file: text, Markdown, HTML, subtitles, PO, XLIFF, JSON or DOCX.

        Args:
            document: a path, or the file's bytes.
            to: target language.
            on_progress: called with how many texts are translated, and how many there are.
            options: format, model, source language, search, priority and timeout.
        """
        async for event in self.stream_translate_document(document, to, **options):
            if isinstance(event, TranslatedDocument):
                return event
            if isinstance(event, DocumentProgress) and on_progress is not None:
                on_progress(event.num_done, event.num_units)
        raise BadResponse("the server ended the document's translation without the document")

    async def stream_translate_document(
        self, document: DocumentLike, to: str = "", **options: Unpack[DocumentOptions]
    ) -> AsyncIterator[DocumentEvent]:
        """Translates a file and yields events: DocumentStarted, DocumentProgress several times, TranslatedDocument.

        Arguments are those of `translate_document`. Closing the iterator (`aclose`) cancels the call.
        """
        request = translate_document(document, to, options)
        with translated_errors():
            timeout = deadline(options.get("timeout"), math.inf)
            call = self._attention.TranslateDocument(request, timeout=timeout, metadata=self._metadata)
            try:
                async for message in call:
                    event = read_document_event(message)
                    if event is not None:
                        yield event
            finally:
                call.cancel()

    @overload
    async def summarize(self, texts: str, style: str | None = None, **options: Unpack[TextOptions]) -> Result: ...
    @overload
    async def summarize(
        self, texts: Texts, style: str | None = None, **options: Unpack[TextOptions]
    ) -> list[Result]: ...
    async def summarize(
        self, texts: str | Texts, style: str | None = None, **options: Unpack[TextOptions]
    ) -> Result | list[Result]:
        """Summarizes one text, or several.

        Args:
            texts: one text, or several: a list, a generator, a column of a table.
            style: kind of summary, such as "headline"; None is the model's default.
            options: model, search, attention maps, truncation, priority and timeout.
        """
        is_single, many = requests.as_list(texts)
        request = requests.summarize(many, style, options)
        response = await self._call(self._attention.Summarize, request, options.get("timeout"))
        return read_results(response.results, is_single)

    def stream_summarize(
        self, text: str, style: str | None = None, **options: Unpack[TextOptions]
    ) -> AsyncIterator[Event]:
        """Summarizes a text and yields events as `stream_translate` does."""
        request = requests.stream_summarize(text, style, options)
        return self._stream(self._attention.StreamSummarize, request, options.get("timeout"))

    @overload
    async def caption(self, images: ImageLike, **options: Unpack[CallOptions]) -> Result: ...
    @overload
    async def caption(
        self, images: list[ImageLike] | tuple[ImageLike, ...], **options: Unpack[CallOptions]
    ) -> list[Result]: ...
    async def caption(
        self, images: ImageLike | list[ImageLike] | tuple[ImageLike, ...], **options: Unpack[CallOptions]
    ) -> Result | list[Result]:
        """Describes one picture, or several.

        Args:
            images: a path, the bytes of a JPEG, PNG or WebP file, a Pillow image, or an array of pixels (uint8
                [height, width, 3], or [height, width] for grey); or a list of these.
            options: model, search, attention maps, priority and timeout.
        """
        is_single, files = requests.read_images(images)
        request = requests.caption(files, options)
        response = await self._call(self._attention.Caption, request, options.get("timeout"))
        return read_results(response.results, is_single, files)

    def stream_caption(self, image: ImageLike, **options: Unpack[CallOptions]) -> AsyncIterator[Event]:
        """Describes a picture and yields events as `stream_translate` does."""
        file = read_image(image)
        request = requests.stream_caption(file, options)
        return self._stream(self._attention.StreamCaption, request, options.get("timeout"), file)

    @overload
    async def score(self, pairs: tuple[str, str], to: str = "", **options: Unpack[ScoreOptions]) -> Result: ...
    @overload
    async def score(self, pairs: Pairs, to: str = "", **options: Unpack[ScoreOptions]) -> list[Result]: ...
    async def score(
        self, pairs: tuple[str, str] | Pairs, to: str = "", **options: Unpack[ScoreOptions]
    ) -> Result | list[Result]:
        """Scores one given pair of a source and a target, or several: the log-probability of each target token.

        Args:
            pairs: a tuple (source, target), or several in a list.
            to: language of the targets, such as "de"; "" if the model has only one.
            options: model, source language, attention maps, priority and timeout.
        """
        is_single, many = requests.as_pairs(pairs)
        request = requests.score(many, to, options)
        response = await self._call(self._attention.Score, request, options.get("timeout"))
        return read_results(response.results, is_single)

    @overload
    async def align(self, pairs: tuple[str, str], to: str = "", **options: Unpack[AlignOptions]) -> Result: ...
    @overload
    async def align(self, pairs: Pairs, to: str = "", **options: Unpack[AlignOptions]) -> list[Result]: ...
    async def align(
        self, pairs: tuple[str, str] | Pairs, to: str = "", **options: Unpack[AlignOptions]
    ) -> Result | list[Result]:
        """Aligns the words of one given pair, or of several; arguments are those of `score`, and `reverse_model`.

        The result's `best.links` and `best.pharaoh` are the links, `alignment` the map.
        """
        is_single, many = requests.as_pairs(pairs)
        request = requests.align(many, to, options)
        response = await self._call(self._attention.Align, request, options.get("timeout"))
        return read_results(response.results, is_single)

    @overload
    async def encode(self, texts: str, **options: Unpack[EncodeOptions]) -> EncodeResult: ...
    @overload
    async def encode(self, texts: Texts, **options: Unpack[EncodeOptions]) -> list[EncodeResult]: ...
    async def encode(self, texts: str | Texts, **options: Unpack[EncodeOptions]) -> EncodeResult | list[EncodeResult]:
        """Turns one text, or several, into vectors, `result.vector`.

        Args:
            texts: a text, or a list of texts.
            options: model, pooling, normalization, attention maps, truncation, priority and timeout.
        """
        is_single, many = requests.as_list(texts)
        request = requests.encode(many, options)
        response = await self._call(self._attention.Encode, request, options.get("timeout"))
        return as_answer([EncodeResult.from_message(each) for each in response.results], is_single)

    @overload
    async def classify(self, texts: str, **options: Unpack[ClassifyOptions]) -> ClassifyResult: ...
    @overload
    async def classify(self, texts: Texts, **options: Unpack[ClassifyOptions]) -> list[ClassifyResult]: ...
    async def classify(
        self, texts: str | Texts, **options: Unpack[ClassifyOptions]
    ) -> ClassifyResult | list[ClassifyResult]:
        """Labels one text, or several, or their tokens: `result.label` and `result.labels`, or `result.tokens`.

        Args:
            texts: a text, or a list of texts.
            options: model, labels, top_k, threshold, attention maps, truncation, priority and timeout.
        """
        is_single, many = requests.as_list(texts)
        request = requests.classify(many, None, options)
        response = await self._call(self._attention.Classify, request, options.get("timeout"))
        return as_answer([ClassifyResult.from_message(each) for each in response.results], is_single)

    @overload
    async def classify_images(self, images: ImageLike, **options: Unpack[ClassifyOptions]) -> ClassifyResult: ...
    @overload
    async def classify_images(
        self, images: list[ImageLike] | tuple[ImageLike, ...], **options: Unpack[ClassifyOptions]
    ) -> list[ClassifyResult]: ...
    async def classify_images(
        self, images: ImageLike | list[ImageLike] | tuple[ImageLike, ...], **options: Unpack[ClassifyOptions]
    ) -> ClassifyResult | list[ClassifyResult]:
        """Labels one picture, or several: `result.label` and `result.labels`.

        Args:
            images: a path, bytes of a file, PIL image or array, or a list of these.
            options: as of `classify`.
        """
        is_single, files = requests.read_images(images)
        request = requests.classify(None, files, options)
        response = await self._call(self._attention.Classify, request, options.get("timeout"))
        return as_answer([ClassifyResult.from_message(each) for each in response.results], is_single)

    @overload
    async def detect(self, images: ImageLike, **options: Unpack[DetectOptions]) -> DetectResult: ...
    @overload
    async def detect(
        self, images: list[ImageLike] | tuple[ImageLike, ...], **options: Unpack[DetectOptions]
    ) -> list[DetectResult]: ...
    async def detect(
        self, images: ImageLike | list[ImageLike] | tuple[ImageLike, ...], **options: Unpack[DetectOptions]
    ) -> DetectResult | list[DetectResult]:
        """Finds objects in one picture, or several: `result.detections`, with `label`, `score` and `box` each.

        Args:
            images: a path, bytes of a file, PIL image or array, or a list of these.
            options: model, labels, top_k, threshold, attention maps, priority and timeout. `attention="alignment"`
                brings the map of each box, `result.map_of(index)`.
        """
        is_single, files = requests.read_images(images)
        request = requests.detect(files, options)
        response = await self._call(self._attention.Detect, request, options.get("timeout"))
        return as_answer([DetectResult.from_message(each) for each in response.results], is_single)

    @overload
    async def fill_mask(self, texts: str, **options: Unpack[FillMaskOptions]) -> FillMaskResult: ...
    @overload
    async def fill_mask(self, texts: Texts, **options: Unpack[FillMaskOptions]) -> list[FillMaskResult]: ...
    async def fill_mask(
        self, texts: str | Texts, **options: Unpack[FillMaskOptions]
    ) -> FillMaskResult | list[FillMaskResult]:
        """Fills the masks ("[MASK]", see `Model.message.mask_token`) of one text, or several: `result.masks`.

        Args:
            texts: a text, or a list of texts.
            options: model, top_k, attention maps, truncation, priority and timeout.
        """
        is_single, many = requests.as_list(texts)
        request = requests.fill_mask(many, options)
        response = await self._call(self._attention.FillMask, request, options.get("timeout"))
        return as_answer([FillMaskResult.from_message(each) for each in response.results], is_single)

    @overload
    async def answer(self, images: ImageLike, questions: str, **options: Unpack[AnswerOptions]) -> AnswerResult: ...
    @overload
    async def answer(
        self, images: ImageLike, questions: Texts, **options: Unpack[AnswerOptions]
    ) -> list[AnswerResult]: ...
    @overload
    async def answer(
        self,
        images: list[ImageLike] | tuple[ImageLike, ...],
        questions: str | Texts,
        **options: Unpack[AnswerOptions],
    ) -> list[AnswerResult]: ...
    async def answer(
        self,
        images: ImageLike | list[ImageLike] | tuple[ImageLike, ...],
        questions: str | Texts,
        **options: Unpack[AnswerOptions],
    ) -> AnswerResult | list[AnswerResult]:
        """Answers one question about a picture, or several: `result.answer` and `result.labels`.

        Args:
            images: a path, bytes of a file, PIL image or array, or a list of these; one goes with all questions.
            questions: a text, or a list of texts; one goes with all pictures.
            options: model, labels, top_k, threshold, attention maps, truncation, priority and timeout.
        """
        is_one_picture, files = requests.read_images(images)
        is_one_question, texts = requests.as_list(questions)
        request = requests.answer(files, texts, options)
        response = await self._call(self._attention.Answer, request, options.get("timeout"))
        results = [AnswerResult.from_message(each) for each in response.results]
        return as_answer(results, is_one_picture and is_one_question)

    def map(
        self,
        inputs: Iterable[Any],
        to: str = "",
        *,
        task: Task = "translation",
        style: str | None = None,
        ordered: bool = True,
        batch_size: int | None = None,
        concurrency: int = mapping.CONCURRENCY,
        on_progress: mapping.OnMapped | None = None,
        **options: Unpack[TranslateOptions],
    ) -> AsyncIterator[mapping.Outcome]:
        """Runs any number of inputs, many in flight, and yields an Outcome for each: its result, or its error.

        An input that fails costs the others nothing. Memory holds a few batches, however many inputs there are. A call
        that an overloaded server refuses is repeated when it says so.

        Args:
            inputs: texts, or pictures to caption; read as outcomes leave.
            to: target language of translations.
            task: "translation", "summarization" or "captioning".
            style: kind of summary.
            ordered: yields the outcomes in the order of the inputs; else as batches complete, which `Outcome.index`
                tells.
            batch_size: inputs of a call; None is 32 texts, or 4 pictures.
            concurrency: calls in flight.
            on_progress: called after each outcome with how many inputs are done, and how many of them failed.
            options: those of `translate`, `summarize` or `caption`; `priority` is "bulk" by default.
        """
        chosen: Any = {"priority": "bulk"} | options
        calls: dict[Task, mapping.AsyncCall] = {
            "translation": lambda batch: self.translate(batch, to, **chosen),
            "summarization": lambda batch: self.summarize(batch, style, **chosen),
            "captioning": lambda batch: self.caption(batch, **chosen),
        }
        check_names("task", [task], list(calls), ValueError)
        size = mapping.BATCH_SIZES[task] if batch_size is None else batch_size
        batches = mapping.batches_of(inputs, size)
        return mapping.run_async(batches, calls[task], concurrency, ordered, on_progress)

    async def models(self, task: Task | None = None, timeout: float | None = None) -> list[Model]:
        """The server's models for one task, or all of them, including models that failed to load."""
        found: list[Model] = []
        request = requests.list_models(task)
        while True:
            response = await self._call(self._models.ListModels, request, timeout)
            found += [Model.from_message(each) for each in response.models]
            if not response.next_page_token:
                return found
            request.page_token = response.next_page_token

    async def model(self, name: str, version: str | None = None, timeout: float | None = None) -> Model:
        """One model; if `version` is None, the version that serves."""
        request = requests.get_model(name, version)
        return Model.from_message((await self._call(self._models.GetModel, request, timeout)).model)

    async def load_model(self, name: str, version: str | None = None, timeout: float | None = None) -> Model:
        """Loads a model from the server's directories, or another version of it, and returns it once it serves.

        Where the server has tokens, it needs the scope "admin". Another version serves until this one is ready,
        and goes on if it cannot be loaded: no call fails meanwhile.

        Args:
            version: None is the newest that there is.
        """
        request = requests.load_model(name, version)
        return Model.from_message((await self._call(self._models.LoadModel, request, timeout)).model)

    async def rollback_model(self, name: str, timeout: float | None = None) -> Model:
        """Loads the version before the one that serves, as `load_model` does, and returns it once it serves.

        Raises:
            NotFound: no version of the model serves, or there is none before it.
        """
        earlier = version_before(await self.models(timeout=timeout), name)
        return await self.load_model(name, earlier, timeout)

    async def unload_model(self, name: str, version: str | None = None, timeout: float | None = None) -> None:
        """Unloads a model: it takes no new calls, finishes those it has, and frees its memory.

        Args:
            version: None is every version that is loaded.
        """
        await self._call(self._models.UnloadModel, requests.unload_model(name, version), timeout)

    async def glossaries(self, timeout: float | None = None) -> list[Glossary]:
        """The server's glossaries, without their terms."""
        response = await self._call(self._glossaries.ListGlossaries, pb.ListGlossariesRequest(), timeout)
        return [Glossary.from_message(each) for each in response.glossaries]

    async def glossary(self, name: str, timeout: float | None = None) -> Glossary:
        """One glossary, with its terms."""
        response = await self._call(self._glossaries.GetGlossary, pb.GetGlossaryRequest(name=name), timeout)
        return Glossary.from_message(response.glossary, tuple(map(term_of, response.terms)))

    async def put_glossary(
        self,
        name: str,
        source_language: str,
        target_language: str,
        terms: Terms | None = None,
        *,
        file: bytes = b"",
        media_type: str = "",
        timeout: float | None = None,
    ) -> Glossary:
        """Keeps a glossary on the server, in place of another one of that name.

        Where the server has tokens, it needs the scope "admin".

        Args:
            terms: sources and targets; None takes them from `file`.
            file: a file's bytes, with `media_type` "tsv" or "tbx".
        """
        request = requests.put_glossary(name, source_language, target_language, terms, file, media_type)
        return Glossary.from_message((await self._call(self._glossaries.PutGlossary, request, timeout)).glossary)

    async def delete_glossary(self, name: str, timeout: float | None = None) -> None:
        """Deletes a glossary of the server. Where the server has tokens, it needs the scope "admin"."""
        await self._call(self._glossaries.DeleteGlossary, pb.DeleteGlossaryRequest(name=name), timeout)

    @property
    def _attention(self) -> "stubs.AttentionServiceAsyncStub":
        return self._connected().attention

    @property
    def _models(self) -> "stubs.ModelServiceAsyncStub":
        return self._connected().models

    @property
    def _glossaries(self) -> "stubs.GlossaryServiceAsyncStub":
        return self._connected().glossaries

    def _connected(self) -> _Connection:
        """The connection of the running event loop.

        Raises:
            RuntimeError: no event loop runs, the client belongs to another one, or it is closed.
        """
        self._check_open()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("AsyncClient is for a running event loop; regard.Client needs none") from None
        if self._connection is None or self._connection.loop.is_closed():
            self._connection = _Connection(self._target, self._credentials)
        if self._connection.loop is not loop:
            raise RuntimeError("the AsyncClient belongs to another event loop; make one for each")
        return self._connection

    async def _call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT], request: RequestT, timeout: float | None
    ) -> ResponseT:
        begin, limit = time.monotonic(), deadline(timeout, self._timeout)
        for pause in (*DRAINING_PAUSES_S, None):
            left = None if limit is None else limit - (time.monotonic() - begin)
            try:
                with translated_errors():
                    return await method(request, timeout=left, metadata=self._metadata)
            except (Cancelled, Unavailable) as error:
                if pause is None or not is_draining(error):
                    raise
                await asyncio.sleep(pause)
        raise AssertionError  # the last try returned or raised

    async def _stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[RequestT, EventT],
        request: RequestT,
        timeout: float | None,
        picture: bytes | None = None,
    ) -> AsyncIterator[Event]:
        begin, limit = time.monotonic(), deadline(timeout, self._timeout)
        has_begun = False
        for pause in (*DRAINING_PAUSES_S, None):
            left = None if limit is None else limit - (time.monotonic() - begin)
            try:
                with translated_errors():
                    call = method(request, timeout=left, metadata=self._metadata)
                    try:
                        async for message in call:
                            has_begun = True
                            event = read_event(message, picture)
                            if event is not None:
                                yield event
                        return
                    finally:
                        call.cancel()
            except (Cancelled, Unavailable) as error:
                if has_begun or pause is None or not is_draining(error):
                    raise
                await asyncio.sleep(pause)
