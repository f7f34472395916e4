"""Draws a scenario's calls as messages ready to send; equal seeds draw equal calls."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from benchmarks.loadtest.http_apis import HttpRequest, Translation, embedding_request, http_request
from benchmarks.loadtest.scenario import Part, Scenario
from regard.calls import requests
from regard.calls.options import (
    AnswerOptions,
    ClassifyOptions,
    DetectOptions,
    EncodeOptions,
    FillMaskOptions,
    TranslateOptions,
)


@dataclass(frozen=True)
class Call:
    """A call to send.

    Attributes:
        part: name of its part of the scenario.
        method: of AttentionService, such as "StreamTranslate"; over HTTP the name of the API.
        has_alignment: whether the answer must have the alignment.
        cancel_after_s: the caller cancels the unanswered call after this time; None never cancels.
        expected: status with which the call must end, unless the caller cancels it.
    """

    part: str
    method: str
    request: Message | HttpRequest
    has_alignment: bool
    cancel_after_s: float | None = None
    expected: str = "OK"

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return self.method.startswith("Stream")


def calls(scenario: Scenario) -> Iterator[Call]:
    """Yields calls without end, drawn by the weights of the parts."""
    rng = random.Random(scenario.seed)
    inputs = {part.name: _inputs(part) for part in scenario.parts}
    weights = [part.weight for part in scenario.parts]
    while True:
        (part,) = rng.choices(scenario.parts, weights)
        yield _call(part, rng.choices(inputs[part.name], k=1 if part.stream else part.inputs_per_call), rng)


def _inputs(part: Part) -> Sequence[Any]:
    """Texts, or the content of image files."""
    if part.inputs.is_dir():
        pictures = sorted(path for path in part.inputs.iterdir() if path.suffix in (".jpg", ".jpeg", ".png", ".webp"))
        return [path.read_bytes() for path in pictures]
    return [line for line in part.inputs.read_text(encoding="utf-8").splitlines() if line.strip()]


def _call(part: Part, inputs: Sequence[Any], rng: random.Random) -> Call:
    has_alignment = rng.random() < part.attention_share
    to = rng.choice(part.to) if part.to else ""
    request: Message | HttpRequest
    if part.api == "grpc":
        method = ("Stream" if part.stream else "") + part.task.title().replace("_", "")
        request = _message(method, inputs, to, part, has_alignment=has_alignment)
    elif part.api == "openai":
        method, request = part.api, embedding_request(inputs, part.model)
    else:
        method = part.api
        request = http_request(part.api, Translation(inputs, part.source, to, part.model, part.num_beams))
    return Call(part.name, method, request, has_alignment, part.cancel_after_s, part.expected)


def _message(method: str, inputs: Sequence[Any], to: str, part: Part, *, has_alignment: bool) -> Message:
    """Builds a method's message."""
    model = part.model or None
    if method == "Encode":
        return requests.encode(inputs, EncodeOptions(model=model))
    if method == "Classify":
        texts, images = (None, inputs) if part.inputs.is_dir() else (inputs, None)
        return requests.classify(texts, images, ClassifyOptions(model=model))
    if method == "FillMask":
        return requests.fill_mask(inputs, FillMaskOptions(model=model))
    if method == "Detect":
        return requests.detect(inputs, DetectOptions(model=model))
    if method == "Answer":
        return requests.answer(inputs, [part.question], AnswerOptions(model=model))
    options = TranslateOptions(model=model, num_beams=part.num_beams, attention=("alignment",) if has_alignment else ())
    if part.source:
        options["source_language"] = part.source
    return _request(method, inputs, to, options)


def _request(method: str, inputs: Sequence[Any], to: str, options: TranslateOptions) -> Message:
    """Builds a method's message. TranslateOptions has every option that the other methods read."""
    match method:
        case "Translate":
            return requests.translate(inputs, to, options)
        case "StreamTranslate":
            return requests.stream_translate(inputs[0], to, options)
        case "Summarize":
            return requests.summarize(inputs, None, options)
        case "StreamSummarize":
            return requests.stream_summarize(inputs[0], None, options)
        case "Caption":
            return requests.caption(inputs, options)
        case _:
            return requests.stream_caption(inputs[0], options)
