"""A server without models: real gRPC on a real port, answers made up from the words of the text.

The output is the input's words in capitals, in reverse order; word i of the source is token i, an end token follows on
both sides. A text asks for trouble by its first word: "fail:NOT_FOUND" fails with that status, "slow:0.2" takes that
many seconds, "wait" never ends, "meet:9" ends once 9 calls have been in hand at a time, "after:9" once 9 others have
been answered, "busy:2" is refused as overload that many times, "closing:2" as gRPC does while a server shuts down.
"""

# gRPC names a servicer's methods.
# ruff: noqa: N802

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs
from tests.waiting import wait_until

END = "</s>"


def encode_map(
    values: np.ndarray, encoding: pb.Encoding.ValueType = pb.ENCODING_FLOAT32, top_k: int = 0, **fields: Any
) -> pb.AttentionMap:
    """A map on the wire; written apart from the client's decoder, by the proto's words."""
    message = pb.AttentionMap(shape=values.shape, encoding=encoding, top_k=top_k, **fields)
    if top_k:
        order = np.argsort(-values, axis=-1, kind="stable")[..., :top_k]
        message.indices = order.astype("<u2").tobytes()
        values = np.take_along_axis(values, order, axis=-1)
    if encoding == pb.ENCODING_FLOAT16:
        message.data = values.astype("<f2").tobytes()
    elif encoding == pb.ENCODING_UINT8:
        message.scale = float(values.max(initial=0.0)) / 255 or 1 / 255
        message.data = np.clip(np.rint(values / message.scale), 0, 255).astype("u1").tobytes()
    else:
        message.data = values.astype("<f4").tobytes()
    return message


def alignment_of(num_target: int, num_source: int) -> np.ndarray:
    """Rows that sum to 1, [target, source]; a target word looks most at the word it was made of, the end at the end."""
    weights = np.full((num_target, num_source), 0.1)
    for target in range(num_target):
        weights[target, num_source - 2 - target if target < num_target - 1 else num_source - 1] = 2.0
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _words_of(text: str) -> list[pb.Word]:
    words, start = [], 0
    for index, word in enumerate(text.split()):
        start = text.index(word, start)
        span = pb.Span(start=start, end=start + len(word))
        words.append(pb.Word(text=word, span=span, tokens=pb.Span(start=index, end=index + 1)))
        start += len(word)
    end = pb.Span(start=len(words), end=len(words) + 1)
    return [*words, pb.Word(text=END, tokens=end, special=True)]


def _source_tokens(words: Sequence[pb.Word]) -> list[pb.SourceToken]:
    tokens = [pb.SourceToken(id=10 + i, piece="▁" + w.text, span=w.span) for i, w in enumerate(words[:-1])]
    return [*tokens, pb.SourceToken(id=2, piece=END, special=True)]


def _target_tokens(words: Sequence[pb.Word]) -> list[pb.TargetToken]:
    tokens = [
        pb.TargetToken(id=20 + i, piece="▁" + w.text, span=w.span, logprob=-0.1 * i) for i, w in enumerate(words[:-1])
    ]
    return [*tokens, pb.TargetToken(id=2, piece=END, special=True, logprob=-0.5)]


def _maps(config: pb.AttentionConfig, num_target: int, num_source: int) -> list[pb.AttentionMap]:
    alignment = alignment_of(num_target, num_source)
    top_k = min(config.top_k, num_source)
    common: dict[str, Any] = {
        "granularity": config.granularity or pb.GRANULARITY_TOKEN,
        "weighting": pb.WEIGHTING_ATTENTION,
        "encoding": config.encoding or pb.ENCODING_FLOAT32,
        "top_k": top_k,
    }
    maps = []
    for kind in config.kinds:
        if kind == pb.ATTENTION_KIND_ALIGNMENT:
            method = pb.ALIGNMENT_METHOD_PLAIN
            maps.append(encode_map(alignment, kind=kind, layers=[1], alignment_method=method, **common))
        elif kind == pb.ATTENTION_KIND_CROSS:
            cross = np.broadcast_to(alignment, (2, 3, *alignment.shape))
            maps.append(encode_map(cross, kind=kind, layers=[0, 1], heads=[0, 1, 2], **common))
    return maps


def _row(dense: pb.AttentionMap, index: int) -> pb.AttentionMap:
    """A target token's row of a dense float32 map, by tokens."""
    values = np.frombuffer(dense.data, "<f4").reshape(dense.shape)[..., index : index + 1, :]
    return encode_map(values, kind=dense.kind, granularity=pb.GRANULARITY_TOKEN)


def result_of(text: str, request: Any, prefix: str = "") -> pb.Result:
    """What the fake makes of a text."""
    output = " ".join(reversed([word.upper() for word in text.split()]))
    source, target = _words_of(text), _words_of(prefix + output)
    by_words = request.attention.granularity == pb.GRANULARITY_WORD
    hypothesis = pb.Hypothesis(
        text=prefix + output,
        tokens=_target_tokens(target),
        words=target if by_words else [],
        score=-0.25,
        finish_reason=pb.FINISH_REASON_END,
        attention=_maps(request.attention, len(target), len(source)),
    )
    if pb.ATTENTION_KIND_ALIGNMENT in request.attention.kinds:
        hypothesis.links.add(source=0, target=len(target) - 2)
        hypothesis.pharaoh = f"0-{len(target) - 2}"
        hypothesis.entropy.extend([0.5] * len(target))
    return pb.Result(
        hypotheses=[hypothesis] * max(1, request.generation.num_return_sequences),
        source_tokens=_source_tokens(source),
        source_words=source if by_words else [],
        num_parts=1,
        model=request.model or "fake",
        model_version="1",
        timings=pb.Timings(queue_ms=0.1, encode_ms=0.2, decode_ms=0.3),
    )


def _fail(context: grpc.ServicerContext, code: str, message: str, details: Sequence[Any] = ()) -> None:
    status = status_pb2.Status(code=code_pb2.Code.Value(code), message=message)
    info = error_details_pb2.ErrorInfo(reason=f"FAKE_{code}", domain="regard")
    for detail in (info, *details):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    context.abort_with_status(rpc_status.to_status(status))


@dataclass
class Fake(stubs.AttentionServiceServicer, stubs.ModelServiceServicer):
    """The servicer.

    Attributes:
        requests: all that came.
        in_hand, most_at_once: calls that run now, and the most that ever did.
        num_answered: calls that ended, well or not.
        probe_s: how much time each health check was given.
    """

    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    in_hand: int = 0
    most_at_once: int = 0
    num_answered: int = 0
    cancelled: int = 0
    probe_s: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def Translate(self, request: pb.TranslateRequest, context: grpc.ServicerContext) -> pb.TranslateResponse:
        return pb.TranslateResponse(results=self._answer(request, request.texts, context))

    def Summarize(self, request: pb.SummarizeRequest, context: grpc.ServicerContext) -> pb.SummarizeResponse:
        return pb.SummarizeResponse(results=self._answer(request, request.texts, context, f"{request.style}: "))

    def Caption(self, request: pb.CaptionRequest, context: grpc.ServicerContext) -> pb.CaptionResponse:
        texts = [f"picture of {len(image)} bytes" for image in request.images]
        return pb.CaptionResponse(results=self._answer(request, texts, context))

    def StreamTranslate(
        self, request: pb.StreamTranslateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.StreamTranslateResponse]:
        [result] = self._answer(request, [request.text], context)
        best = result.hypotheses[0]
        started = pb.StartedEvent(
            model=result.model,
            model_version="1",
            source_tokens=result.source_tokens,
            source_words=result.source_words,
        )
        yield pb.StreamTranslateResponse(started=started)
        yield pb.StreamTranslateResponse()  # an event of a later version
        end = 0
        for index, token in enumerate(best.tokens):
            delta = best.text[end : token.span.end] if token.HasField("span") else ""
            end = max(end, token.span.end)
            maps = [_row(each, index) for each in best.attention]
            event = pb.TokenEvent(index=index, token=token, text_delta=delta, attention=maps)
            yield pb.StreamTranslateResponse(token=event)
        yield pb.StreamTranslateResponse(finished=pb.FinishedEvent(result=result))

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:
        self.requests.append(request)
        if request.page_token == "":
            first = pb.Model(
                name="everyday",
                version="2",
                task=pb.TASK_TRANSLATION,
                family="transformer",
                is_default=True,
                state=pb.MODEL_STATE_READY,
                source_languages=["en"],
                target_languages=["de", "fr"],
                provider="cpu",
                precision="int8",
                size_bytes=2**33,
                scores={"bleu/de": 38.5},
                generation_defaults=pb.GenerationConfig(num_beams=4),
                attention_kinds=[pb.AttentionLayout(kind=pb.ATTENTION_KIND_CROSS, num_layers=2, num_heads=4)],
            )
            return pb.ListModelsResponse(models=[first], next_page_token="more")
        broken = pb.Model(
            name="broken", version="1", state=pb.MODEL_STATE_FAILED, state_reasons=["step.onnx: checksum"]
        )
        return pb.ListModelsResponse(models=[broken])

    def GetModel(self, request: pb.GetModelRequest, context: grpc.ServicerContext) -> pb.GetModelResponse:
        self.requests.append(request)
        if request.name != "everyday":
            _fail(context, "NOT_FOUND", f"no model {request.name!r}; there is: everyday")
        return pb.GetModelResponse(model=pb.Model(name=request.name, version=request.version or "2"))

    def _answer(
        self, request: Any, texts: Sequence[str], context: grpc.ServicerContext, prefix: str = ""
    ) -> list[pb.Result]:
        with self._lock:
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
            self.in_hand += 1
            self.most_at_once = max(self.most_at_once, self.in_hand)
        try:
            for text in texts:
                self._make_trouble(text, context)
            return [result_of(text, request, prefix) for text in texts]
        finally:
            with self._lock:
                self.in_hand -= 1
                self.num_answered += 1

    def _make_trouble(self, text: str, context: grpc.ServicerContext) -> None:
        wish, _, value = text.split(" ")[0].partition(":")
        if wish == "slow":
            time.sleep(float(value))
        elif wish == "wait":
            self._wait_for_the_end(context)
        elif wish == "meet":
            wait_until(lambda: self.most_at_once >= int(value))
        elif wish == "after":
            wait_until(lambda: self.num_answered >= int(value))
        elif wish == "busy" and self.refusals[text] < int(value):
            self.refusals[text] += 1
            delay = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=20_000_000))
            _fail(context, "RESOURCE_EXHAUSTED", "the queue is full", [delay])
        elif wish == "closing" and self.refusals[text] < int(value):
            self.refusals[text] += 1
            context.abort(grpc.StatusCode.CANCELLED, "CANCELLED")
        elif wish == "fail":
            _fail(context, value, f"asked to fail with {value}", _violations(value))

    def _wait_for_the_end(self, context: grpc.ServicerContext) -> None:
        while context.is_active():
            time.sleep(0.01)
        self.cancelled += 1


def _violations(code: str) -> list[error_details_pb2.BadRequest]:
    if code != "INVALID_ARGUMENT":
        return []
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="generation.num_beams", description="must be in [1, 16], but is 99")
    bad.field_violations.add(field="texts[0]", description="is empty")
    return [bad]


class _Health(health.HealthServicer):  # type: ignore[misc]  # has no types
    """Always serving; notes the time that a check is given."""

    def __init__(self, fake: Fake) -> None:
        super().__init__()
        self._fake = fake
        self.set("", health_pb2.HealthCheckResponse.SERVING)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._fake.probe_s.append(context.time_remaining())
        return super().Check(request, context)


class FakeServer:
    """Serves the fake on a free port; `target` is where."""

    def __init__(self, port: int = 0) -> None:
        self.fake = Fake()  # type: ignore[abstract]  # in the stubs only: what a servicer lacks is unimplemented
        self._server = grpc.server(ThreadPoolExecutor(64))
        stubs.add_AttentionServiceServicer_to_server(self.fake, self._server)
        stubs.add_ModelServiceServicer_to_server(self.fake, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(_Health(self.fake), self._server)
        self.target = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None).wait()


@contextmanager
def fake_server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server
