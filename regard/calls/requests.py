"""Requests from Python arguments, for both clients."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from regard.calls.options import CallOptions, GenerationOptions, TextOptions, TranslateOptions
from regard.errors import FieldViolation, InvalidArgument
from regard.names import Task
from regard.v1 import regard_pb2 as pb
from regard.wire.enums import TABLES
from regard.wire.images import ImageLike, read_image

_GENERATION_OPTIONS = frozenset(GenerationOptions.__annotations__)
_ATTENTION_OPTIONS = frozenset({"layers", "heads", "encoding", "attention_top_k", "alignment_method", "weighting"})
_ATTENTION_FIELDS = {"attention_top_k": "top_k"}  # options whose field has another name
_REQUEST_OPTIONS = frozenset({"model", "priority", "truncation", "source_language"})
_TEXT_OPTIONS = frozenset({"format", "unit", "raw", "protected_patterns"})
_OTHER_OPTIONS = frozenset({"attention", "words", "timeout", "protected_spans"})

T = TypeVar("T")
RequestT = TypeVar("RequestT", bound=Message)


def translate(texts: Sequence[str], to: str, options: TranslateOptions) -> pb.TranslateRequest:
    """The request of Translate."""
    return _set_checked(with_options(pb.TranslateRequest(), options), texts=texts, target_language=to)


def stream_translate(text: str, to: str, options: TranslateOptions) -> pb.StreamTranslateRequest:
    """The request of StreamTranslate."""
    return _set_checked(with_options(pb.StreamTranslateRequest(), options), text=text, target_language=to)


def summarize(texts: Sequence[str], style: str | None, options: TextOptions) -> pb.SummarizeRequest:
    """The request of Summarize."""
    return _set_checked(with_options(pb.SummarizeRequest(), options), texts=texts, style=style)


def stream_summarize(text: str, style: str | None, options: TextOptions) -> pb.StreamSummarizeRequest:
    """The request of StreamSummarize."""
    return _set_checked(with_options(pb.StreamSummarizeRequest(), options), text=text, style=style)


def caption(images: Sequence[bytes], options: CallOptions) -> pb.CaptionRequest:
    """The request of Caption."""
    return _set_checked(with_options(pb.CaptionRequest(), options), images=images)


def stream_caption(image: bytes, options: CallOptions) -> pb.StreamCaptionRequest:
    """The request of StreamCaption."""
    return _set_checked(with_options(pb.StreamCaptionRequest(), options), image=image)


def list_models(task: Task | None) -> pb.ListModelsRequest:
    """The request of ListModels, for its first page."""
    return _set_checked(pb.ListModelsRequest(), task=task)


def get_model(name: str, version: str | None) -> pb.GetModelRequest:
    """The request of GetModel."""
    return _set_checked(pb.GetModelRequest(), name=name, version=version)


def as_list(inputs: T | list[T] | tuple[T, ...]) -> tuple[bool, list[T]]:
    """Whether the caller passed a single input, and the inputs as a list."""
    if isinstance(inputs, list | tuple):
        return False, list(inputs)
    return True, [inputs]


def read_images(images: ImageLike | list[ImageLike] | tuple[ImageLike, ...]) -> tuple[bool, list[bytes]]:
    """Whether the caller passed a single picture, and the bytes of the pictures' files."""
    if isinstance(images, list | tuple):
        return False, [read_image(image) for image in images]
    return True, [read_image(images)]


def with_options(request: RequestT, options: Mapping[str, Any]) -> RequestT:
    """Sets the options' fields. Raises TypeError for an unknown option, as any function does."""
    known = _GENERATION_OPTIONS | _ATTENTION_OPTIONS | _REQUEST_OPTIONS | _TEXT_OPTIONS | _OTHER_OPTIONS
    unknown = sorted(set(options) - known)
    if unknown:
        raise TypeError(f"unknown option {', '.join(unknown)}")
    given = {name: value for name, value in options.items() if value is not None}
    generation = {name: value for name, value in given.items() if name in _GENERATION_OPTIONS}
    attention = _attention_fields(given)
    fields = {name: value for name, value in given.items() if name in _REQUEST_OPTIONS}
    violations = _set_fields(request, fields)
    target: Any = request
    violations += _set_fields(target.generation, generation, "generation.") if generation else []
    violations += _set_fields(target.attention, attention, "attention.") if attention else []
    violations += _set_text_options(target, given)
    return _checked(request, violations)


def _set_text_options(request: Any, given: Mapping[str, Any]) -> list[FieldViolation]:
    """Sets the fields of a TextOptions; a request without options has none."""
    fields = {name: value for name, value in given.items() if name in _TEXT_OPTIONS and value is not False}
    for text, start, end in given.get("protected_spans", ()):
        request.text_options.protected_spans.add(text=text).span.MergeFrom(pb.Span(start=start, end=end))
    return _set_fields(request.text_options, fields, "text_options.") if fields else []


def _attention_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an AttentionConfig; none if no kind is chosen, as the other options then have no effect."""
    chosen = given.get("attention", False)
    kinds = ["alignment"] if chosen is True else [chosen] if isinstance(chosen, str) else list(chosen or ())
    if not kinds:
        return {}
    fields = {_ATTENTION_FIELDS.get(name, name): given[name] for name in _ATTENTION_OPTIONS if name in given}
    return fields | {"kinds": kinds, "granularity": "word" if given.get("words") else "token"}


def _set_checked(request: RequestT, **fields: Any) -> RequestT:
    return _checked(request, _set_fields(request, fields))


def _checked(request: RequestT, violations: list[FieldViolation]) -> RequestT:
    if violations:
        raise InvalidArgument.of(violations)
    return request


def _set_fields(message: Message, fields: Mapping[str, Any], prefix: str = "") -> list[FieldViolation]:
    """Sets the fields whose value is not None; returns a violation, worded as the server's, for each bad value."""
    violations: list[FieldViolation] = []
    for name, value in fields.items():
        if value is None:
            continue
        is_repeated = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        paths = [f"{prefix}{name}[{i}]" for i in range(len(value))] if is_repeated else [prefix + name]
        for path, each in zip(paths, value if is_repeated else [value], strict=True):
            try:
                wire = _to_wire(message, name, each)
                getattr(message, name).append(wire) if is_repeated else setattr(message, name, wire)
            except ValueError as error:
                violations.append(FieldViolation(path, str(error)))
    return violations


def _to_wire(message: Message, name: str, value: Any) -> Any:
    """The value for the field: an enum's number for its short name; text only if it can be encoded as UTF-8."""
    enum = message.DESCRIPTOR.fields_by_name[name].enum_type
    if enum is not None:
        table = TABLES[enum.name]
        if value not in table.names:
            raise ValueError(f"{value!r} is none of {', '.join(table.names)}")
        return table.number(value)
    if isinstance(value, str):
        _check_text(value)
    return value


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"is not valid Unicode: a lone surrogate at position {error.start}") from None
