"""Reads calls from their requests. Checks every bound that the .proto gives for a field by itself.

`calls` checks against the model (its languages, its longest output, its maps), and fields against each other.
"""

import time
from collections.abc import Sequence
from typing import TypedDict

from regard.v1 import regard_pb2 as pb
from regard_service.convert import enums
from regard_service.convert.checks import Checks
from regard_service.convert.control import read_control
from regard_service.convert.options import read_attention, read_generation, read_text_options
from regard_service.domain.calls import (
    AttentionOptions,
    CaptionCall,
    GenerationOptions,
    SummarizeCall,
    TranslateCall,
    Truncation,
)
from regard_service.errors import DeadlinePassed, InvalidInput
from regard_service.validation.limits import CallLimits
from regard_service.validation.texts import text_fault

_TranslateRequest = pb.TranslateRequest | pb.StreamTranslateRequest
_SummarizeRequest = pb.SummarizeRequest | pb.StreamSummarizeRequest
_CaptionRequest = pb.CaptionRequest | pb.StreamCaptionRequest
_AnyRequest = _TranslateRequest | _SummarizeRequest | _CaptionRequest

_STREAM_REQUESTS = (pb.StreamTranslateRequest, pb.StreamSummarizeRequest)

MAX_CONTROL_TOKENS = 256  # of a request


class _CallFields(TypedDict):
    """The fields of `Call`, which each kind of call has."""

    model: str
    generation: GenerationOptions
    attention: AttentionOptions
    is_bulk: bool
    deadline: float


class RequestReader:
    """Reads requests under a server's limits.

    A stream's request gives the same call, with one input. Every method takes `time_remaining`, the seconds until the
    call's deadline (None: no deadline), and raises InvalidInput with every violation, or DeadlinePassed.

    Attributes:
        limits: of the server.
    """

    def __init__(self, limits: CallLimits) -> None:
        self.limits = limits

    @property
    def max_inputs(self) -> int:
        """The most inputs of a call."""
        return self.limits.max_inputs_per_call

    def translate(self, request: _TranslateRequest, time_remaining: float | None) -> TranslateCall:
        """Reads a request to translate."""
        checks = Checks()
        texts = self._texts(checks, request, may_be_blank=not request.text_options.raw)
        call = TranslateCall(
            **self._call_fields(checks, request, time_remaining),
            texts=texts,
            source_language=checks.name("source_language", request.source_language),
            target_language=checks.name("target_language", request.target_language),
            truncation=_truncation(checks, request),
            text_options=read_text_options(checks, request.text_options, texts),
            control_tokens=_control_tokens(checks, request),
            control=read_control(checks, request),
            has_confidence=request.confidence,
        )
        checks.raise_if_any()
        return call

    def summarize(self, request: _SummarizeRequest, time_remaining: float | None) -> SummarizeCall:
        """Reads a request to summarize."""
        checks = Checks()
        call = SummarizeCall(
            **self._call_fields(checks, request, time_remaining),
            texts=self._texts(checks, request),
            style=checks.name("style", request.style),
            truncation=_truncation(checks, request),
            control_tokens=_control_tokens(checks, request),
        )
        checks.raise_if_any()
        return call

    def caption(self, request: _CaptionRequest, time_remaining: float | None) -> CaptionCall:
        """Reads a request to describe pictures."""
        checks = Checks()
        call = CaptionCall(**self._call_fields(checks, request, time_remaining), images=self._images(checks, request))
        checks.raise_if_any()
        return call

    def _call_fields(self, checks: Checks, request: _AnyRequest, time_remaining: float | None) -> "_CallFields":
        """Reads the fields of every call. A message that is not set reads as an empty one."""
        return {
            "model": checks.name("model", request.model),
            "generation": read_generation(checks, request.generation),
            "attention": read_attention(checks, request.attention),
            "is_bulk": checks.enum("priority", enums.PRIORITY, request.priority) == "bulk",
            "deadline": self.deadline(time_remaining),
        }

    def _texts(
        self, checks: Checks, request: _TranslateRequest | _SummarizeRequest, *, may_be_blank: bool = False
    ) -> tuple[str, ...]:
        limit = self.limits.max_text_characters
        if isinstance(request, _STREAM_REQUESTS):
            checks.add_if("text", text_fault(request.text, limit, may_be_blank=may_be_blank))
            return (request.text,)
        if not self.is_num_inputs_valid(checks, "texts", len(request.texts)):
            return ()
        texts = tuple(request.texts)
        for index, text in enumerate(texts):
            fault = text_fault(text, limit, may_be_blank=may_be_blank)
            if fault is not None:
                checks.add(f"texts[{index}]", fault)
        return texts

    def _images(self, checks: Checks, request: _CaptionRequest) -> tuple[bytes, ...]:
        if isinstance(request, pb.StreamCaptionRequest):
            image = request.image
            self._check_image(checks, "image", image)
            return (image,)
        return self.check_images(checks, tuple(request.images))  # each access to a file of the message copies it

    def check_texts(self, checks: Checks, texts: Sequence[str], path: str = "texts") -> tuple[str, ...]:
        """Checks the texts of a call that are read as they stand; returns them."""
        if not self.is_num_inputs_valid(checks, path, len(texts)):
            return ()
        for index, text in enumerate(texts):
            checks.add_if(f"{path}[{index}]", text_fault(text, self.limits.max_text_characters))
        return tuple(texts)

    def check_images(self, checks: Checks, images: Sequence[bytes]) -> tuple[bytes, ...]:
        """Checks the pictures of a call; returns them."""
        if not self.is_num_inputs_valid(checks, "images", len(images)):
            return ()
        for index, image in enumerate(images):
            self._check_image(checks, f"images[{index}]", image)
        return tuple(images)

    def is_num_inputs_valid(self, checks: Checks, path: str, num_inputs: int) -> bool:
        """Checks the number of inputs. With a wrong one, the inputs themselves are not looked at."""
        limit = self.limits.max_inputs_per_call
        if num_inputs == 0:
            checks.add(path, "is empty; a call has at least 1 input")
        elif num_inputs > limit:
            checks.add(path, f"holds {num_inputs} inputs; the limit is {limit}; send them in several calls")
        return 0 < num_inputs <= limit

    def _check_image(self, checks: Checks, path: str, image: bytes) -> None:
        limit = self.limits.max_image_bytes
        if not image:
            checks.add(path, "is empty; it must be a JPEG, PNG or WebP file")
        elif len(image) > limit:
            checks.add(path, f"has {len(image)} bytes; the limit is {limit}")

    def deadline(self, time_remaining: float | None) -> float:
        """Returns the deadline on the clock of `time.monotonic()`: the caller's or the default, up to the maximum."""
        limit = self.limits.max_deadline_s
        remaining = self.limits.default_deadline_s if time_remaining is None else time_remaining
        if remaining is None:
            return time.monotonic() + limit
        if remaining <= 0:
            raise DeadlinePassed("the call's deadline had passed when it arrived")
        return time.monotonic() + min(remaining, limit)


def as_stream_error(error: InvalidInput) -> InvalidInput:
    """Returns the violations with the paths of a stream's request, whose one input is not a list: "texts[0]" is
    "text".
    """
    paths = {"texts[0]": "text", "images[0]": "image"}
    prefix = "target_prefixes[0]"

    def renamed(field: str) -> str:
        return field.replace(prefix, "target_prefix", 1) if field.startswith(prefix) else paths.get(field, field)

    return error.renamed(renamed)


def _truncation(checks: Checks, request: _TranslateRequest | _SummarizeRequest) -> Truncation | None:
    truncation = checks.enum("truncation", enums.TRUNCATION, request.truncation)
    is_stream = isinstance(request, _STREAM_REQUESTS)
    is_segmented = isinstance(request, pb.StreamTranslateRequest) and not request.text_options.raw
    if truncation == "split" and is_stream and not is_segmented:
        checks.add("truncation", "TRUNCATION_SPLIT_AND_JOIN is not offered in streams of summaries and of raw texts")
    return truncation


def _control_tokens(checks: Checks, request: _TranslateRequest | _SummarizeRequest) -> tuple[str, ...]:
    """Whether the model has them is checked later."""
    tokens = tuple(request.control_tokens)
    if not tokens:
        return tokens
    if len(tokens) > MAX_CONTROL_TOKENS:
        checks.add("control_tokens", f"names {len(tokens)} tokens; the limit is {MAX_CONTROL_TOKENS}")
    repeated = (
        dict.fromkeys(token for token in tokens if tokens.count(token) > 1) if len(set(tokens)) < len(tokens) else ()
    )
    for token in repeated:
        checks.add("control_tokens", f"names {token!r} more than once")
    return tokens
