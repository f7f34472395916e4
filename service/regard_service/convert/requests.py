"""Requests: from protobuf to calls. Checks every bound that the .proto gives for a field by itself.

What the model knows (its languages, its longest output, the kinds of map it offers) and what fields of its defaults
mean together, the handlers check.
"""

import base64
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from regard.v1 import regard_pb2 as pb
from regard_service.app.settings import Settings
from regard_service.bundle import Task
from regard_service.calls.options import Violations
from regard_service.convert import enums
from regard_service.convert.enums import EnumTable, Name, Number
from regard_service.domain import (
    AttentionOptions,
    Call,
    CaptionCall,
    GenerationOptions,
    SummarizeCall,
    TranslateCall,
    Truncation,
)
from regard_service.errors import DeadlinePassed, FieldViolation, InvalidInput

MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
MAX_NAME_CHARACTERS = 256
MAX_INDEXES = 1024
MAX_BEAMS = 16
DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


_TranslateRequest = pb.TranslateRequest | pb.StreamTranslateRequest
_SummarizeRequest = pb.SummarizeRequest | pb.StreamSummarizeRequest
_CaptionRequest = pb.CaptionRequest | pb.StreamCaptionRequest
_AnyRequest = _TranslateRequest | _SummarizeRequest | _CaptionRequest


class Checks(Violations):
    """Collects what is wrong with a request, so that one answer lists it all."""

    def in_range(self, path: str, value: float, low: float, high: float) -> None:
        """Checks a number; NaN is never in range."""
        if not low <= value <= high:
            self.add(path, f"must be in [{low:g}, {high:g}]; it is {value:g}")

    def at_least(self, path: str, value: int, low: int) -> None:
        if value < low:
            self.add(path, f"must be at least {low}; it is {value}")

    def enum(self, path: str, table: EnumTable[Number, Name], number: int) -> Name | None:
        """The domain's name of an enum's value; None for unspecified, and for an unknown one, which is noted."""
        try:
            return table.name(number)
        except ValueError as error:
            self.add(path, str(error))
            return None

    def name(self, path: str, value: str) -> str:
        """A model's, language's or style's name; which there are, the handler knows."""
        if len(value) > MAX_NAME_CHARACTERS:
            self.add(path, f"has {len(value)} characters; the limit is {MAX_NAME_CHARACTERS}")
        return value


class RequestReader:
    """Reads requests under a server's limits.

    A stream's request gives the same call, with one input. Every method takes `time_remaining`, the seconds that gRPC
    leaves the call (None: no deadline), and raises InvalidInput with every violation, or DeadlinePassed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def translate(self, request: _TranslateRequest, time_remaining: float | None) -> TranslateCall:
        v = Checks()
        call = TranslateCall(
            **vars(self._call(v, request, time_remaining)),
            texts=self._texts(v, request),
            source_language=v.name("source_language", request.source_language),
            target_language=v.name("target_language", request.target_language),
            truncation=_truncation(v, request),
        )
        v.raise_if_any()
        return call

    def summarize(self, request: _SummarizeRequest, time_remaining: float | None) -> SummarizeCall:
        v = Checks()
        call = SummarizeCall(
            **vars(self._call(v, request, time_remaining)),
            texts=self._texts(v, request),
            style=v.name("style", request.style),
            truncation=_truncation(v, request),
        )
        v.raise_if_any()
        return call

    def caption(self, request: _CaptionRequest, time_remaining: float | None) -> CaptionCall:
        v = Checks()
        call = CaptionCall(**vars(self._call(v, request, time_remaining)), images=self._images(v, request))
        v.raise_if_any()
        return call

    def _call(self, v: Checks, request: _AnyRequest, time_remaining: float | None) -> Call:
        """What all calls have."""
        return Call(
            model=v.name("model", request.model),
            generation=_generation(v, request.generation) if request.HasField("generation") else GenerationOptions(),
            attention=_attention(v, request.attention) if request.HasField("attention") else AttentionOptions(),
            bulk=v.enum("priority", enums.PRIORITY, request.priority) == "bulk",
            deadline=self._deadline(time_remaining),
        )

    def _texts(self, v: Checks, request: _TranslateRequest | _SummarizeRequest) -> tuple[str, ...]:
        if isinstance(request, pb.StreamTranslateRequest | pb.StreamSummarizeRequest):
            self._text(v, "text", request.text)
            return (request.text,)
        self._num_inputs(v, "texts", len(request.texts))
        for index, text in enumerate(request.texts):
            self._text(v, f"texts[{index}]", text)
        return tuple(request.texts)

    def _images(self, v: Checks, request: _CaptionRequest) -> tuple[bytes, ...]:
        if isinstance(request, pb.StreamCaptionRequest):
            self._image(v, "image", request.image)
            return (request.image,)
        self._num_inputs(v, "images", len(request.images))
        for index, image in enumerate(request.images):
            self._image(v, f"images[{index}]", image)
        return tuple(request.images)

    def _num_inputs(self, v: Checks, path: str, num_inputs: int) -> None:
        limit = self._settings.max_inputs_per_call
        if num_inputs == 0:
            v.add(path, "is empty; a call has at least 1 input")
        elif num_inputs > limit:
            v.add(path, f"holds {num_inputs} inputs; the limit is {limit}")

    def _text(self, v: Checks, path: str, text: str) -> None:
        limit = self._settings.max_text_characters
        if not text:
            v.add(path, "is empty")
        elif text.isspace():
            v.add(path, "holds only white space")
        elif len(text) > limit:
            v.add(path, f"has {len(text)} characters; the limit is {limit}")

    def _image(self, v: Checks, path: str, image: bytes) -> None:
        limit = self._settings.max_image_bytes
        if not image:
            v.add(path, "is empty; it must be a JPEG, PNG or WebP file")
        elif len(image) > limit:
            v.add(path, f"has {len(image)} bytes; the limit is {limit}")

    def _deadline(self, time_remaining: float | None) -> float:
        """The call's deadline as `time.monotonic()`: the caller's or the default, never beyond the maximum."""
        most = self._settings.max_deadline_s
        remaining = self._settings.default_deadline_s if time_remaining is None else time_remaining
        if remaining is None:
            return time.monotonic() + most
        if remaining <= 0:
            raise DeadlinePassed("the call's deadline had passed when it arrived")
        return time.monotonic() + min(remaining, most)


def _truncation(v: Checks, request: _TranslateRequest | _SummarizeRequest) -> Truncation | None:
    truncation = v.enum("truncation", enums.TRUNCATION, request.truncation)
    if truncation == "split" and isinstance(request, pb.StreamTranslateRequest | pb.StreamSummarizeRequest):
        v.add("truncation", "TRUNCATION_SPLIT_AND_JOIN is not offered in streams")
    return truncation


# Bounds of GenerationConfig as the .proto gives them: [lowest, highest].
_GENERATION_BOUNDS: dict[str, tuple[float, float]] = {
    "num_beams": (1, MAX_BEAMS),
    "length_penalty": (-10, 10),
    "num_return_sequences": (1, MAX_BEAMS),
    "no_repeat_ngram_size": (0, 32),
    "repetition_penalty": (0.1, 10),
    "top_k": (0, 1024),
}
_GENERATION_MINIMA = {"max_new_tokens": 1, "min_new_tokens": 0, "seed": 0}


def _generation(v: Checks, config: pb.GenerationConfig) -> GenerationOptions:
    """Reads GenerationConfig; a scalar that is not set becomes None, zero stays zero."""
    set_values = {spec.name: value for spec, value in config.ListFields() if spec.name != "early_stopping"}
    for name, (low, high) in _GENERATION_BOUNDS.items():
        if name in set_values:
            v.in_range(f"generation.{name}", set_values[name], low, high)
    for name, low in _GENERATION_MINIMA.items():
        if name in set_values:
            v.at_least(f"generation.{name}", set_values[name], low)
    options = GenerationOptions(
        **set_values, early_stopping=v.enum("generation.early_stopping", enums.EARLY_STOPPING, config.early_stopping)
    )
    _check_sampling(v, options)
    return options


def _check_sampling(v: Checks, options: GenerationOptions) -> None:
    temperature, top_p = options.temperature, options.top_p
    # Rounded, because float32's 0.01 is a little less than 0.01.
    if temperature is not None and temperature != 0 and not 0.01 <= round(temperature, 6) <= 10:
        v.add("generation.temperature", f"must be 0 or in [0.01, 10]; it is {temperature:g}")
    if top_p is not None and not 0 < top_p <= 1:
        v.add("generation.top_p", f"must be in (0, 1]; it is {top_p:g}")


def _attention(v: Checks, config: pb.AttentionConfig) -> AttentionOptions:
    kinds = [v.enum(f"attention.kinds[{i}]", enums.ATTENTION_KIND, kind) for i, kind in enumerate(config.kinds)]
    for index, kind in enumerate(config.kinds):
        if kind == pb.ATTENTION_KIND_UNSPECIFIED:
            v.add(f"attention.kinds[{index}]", "names no kind")
    _check_unique(v, "attention.kinds", [kind for kind in config.kinds if kind])
    for name, indexes in (("layers", config.layers), ("heads", config.heads)):
        _check_indexes(v, f"attention.{name}", indexes)
    if config.HasField("top_k"):
        v.in_range("attention.top_k", config.top_k, 1, 1024)
    encoding = v.enum("attention.encoding", enums.ENCODING, config.encoding)
    granularity = v.enum("attention.granularity", enums.GRANULARITY, config.granularity)
    method = v.enum("attention.alignment_method", enums.ALIGNMENT_METHOD, config.alignment_method)
    weighting = v.enum("attention.weighting", enums.WEIGHTING, config.weighting)
    return AttentionOptions(
        kinds=tuple(kind for kind in kinds if kind is not None),
        layers=tuple(config.layers),
        heads=tuple(config.heads),
        granularity=granularity or "token",
        method=method,
        encoding=encoding or "float32",
        top_k=config.top_k if config.HasField("top_k") else None,
        value_norms=weighting == "value_norm",
    )


def _check_indexes(v: Checks, path: str, indexes: Sequence[int]) -> None:
    if len(indexes) > MAX_INDEXES:
        v.add(path, f"names {len(indexes)}; the limit is {MAX_INDEXES}")
        return
    for position, index in enumerate(indexes):
        v.at_least(f"{path}[{position}]", index, 0)
    _check_unique(v, path, indexes)


def _check_unique(v: Checks, path: str, values: Sequence[int]) -> None:
    seen: set[int] = set()
    for value in values:
        if value in seen:
            v.add(path, f"names {value} more than once")
        seen.add(value)


@dataclass(frozen=True)
class ModelPage:
    """Which models to list.

    Attributes:
        task: None means every task.
        after: name and version of the last model of the page before; None means from the beginning.
    """

    size: int
    task: Task | None = None
    after: tuple[str, str] | None = None


def read_list_models(request: pb.ListModelsRequest) -> ModelPage:
    v = Checks()
    v.at_least("page_size", request.page_size, 0)
    task = v.enum("task", enums.TASK, request.task)
    after = None
    if request.page_token:
        try:
            after = _read_page_token(request.page_token, task)
        except ValueError:
            v.add("page_token", "is not one that this server gave for the same filter")
    v.raise_if_any()
    return ModelPage(min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE), task, after)


def write_page_token(task: Task | None, name: str, version: str) -> str:
    """Where the next page goes on: after this model, under the same filter."""
    return base64.urlsafe_b64encode(json.dumps([task, name, version]).encode()).decode()


def _read_page_token(token: str, task: Task | None) -> tuple[str, str]:
    """Name and version in a token; raises ValueError if it was not given for this filter."""
    match json.loads(base64.b64decode(token, altchars=b"-_", validate=True)):
        case [given_task, str(name), str(version)] if given_task == task:
            return name, version
    raise ValueError("of another filter")


def read_model_name(request: pb.GetModelRequest | pb.UnloadModelRequest) -> tuple[str, str | None]:
    """Name and version; no version means the one that serves, or all."""
    v = Checks()
    if not request.name:
        v.add("name", "is empty")
    v.name("name", request.name)
    v.name("version", request.version)
    v.raise_if_any()
    return request.name, request.version or None


def read_load_model(request: pb.LoadModelRequest) -> tuple[str, str | None]:
    """Name and version of a model to load; a name that could be a path is refused."""
    v = Checks()
    if not MODEL_NAME.fullmatch(request.name):
        v.add("name", 'must be 1 to 64 of a-z, 0-9, ".", "_" and "-", beginning with a letter or digit')
    v.name("version", request.version)
    v.raise_if_any()
    return request.name, request.version or None


def as_stream_error(error: InvalidInput) -> InvalidInput:
    """The same violations with the paths of a stream's request, which has one input: "texts[0]" is its "text"."""
    paths = {"texts[0]": "text", "images[0]": "image"}
    return InvalidInput([FieldViolation(paths.get(v.field, v.field), v.description) for v in error.violations])
