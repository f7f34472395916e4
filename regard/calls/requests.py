"""Requests from Python arguments, for both clients."""

import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from regard.calls.options import (
    AlignOptions,
    CallOptions,
    GenerationOptions,
    ScoreOptions,
    TextOptions,
    TranslateOptions,
)
from regard.errors import FieldViolation, InvalidArgument
from regard.errors.names import check_names
from regard.names import Task
from regard.v1 import regard_pb2 as pb
from regard.wire.enums import TABLES
from regard.wire.images import ImageLike, read_image

_GENERATION_OPTIONS = frozenset(GenerationOptions.__annotations__)
_ATTENTION_OPTIONS = frozenset({"layers", "heads", "encoding", "attention_top_k", "alignment_method", "weighting"})
_ATTENTION_FIELDS = {"attention_top_k": "top_k"}  # options whose field has another name
_REQUEST_OPTIONS = frozenset({"model", "priority", "truncation", "source_language", "control_tokens", "confidence"})
_TEXT_OPTIONS = frozenset({"format", "unit", "raw", "protected_patterns"})
_OTHER_OPTIONS = frozenset({"attention", "words", "timeout", "protected_spans"})
_ALIASES = {"beams": "num_beams"}  # the command line's name

_KINDS_BY_TYPE: dict[int, tuple[Any, str]] = {
    FieldDescriptor.TYPE_STRING: (str, "a text"),
    FieldDescriptor.TYPE_BYTES: (bytes, "bytes"),
    FieldDescriptor.TYPE_BOOL: (bool, "True or False"),
    FieldDescriptor.TYPE_INT32: (numbers.Integral, "a whole number"),
    FieldDescriptor.TYPE_INT64: (numbers.Integral, "a whole number"),
    FieldDescriptor.TYPE_FLOAT: (numbers.Real, "a number"),
}
_BITS_BY_TYPE = {FieldDescriptor.TYPE_INT32: 31, FieldDescriptor.TYPE_INT64: 63}

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


def score(pairs: Sequence[Any], to: str, options: ScoreOptions) -> pb.ScoreRequest:
    """The request of Score."""
    request = with_options(pb.ScoreRequest(), options)
    return _set_checked(_with_pairs(request, pairs), target_language=to)


def align(pairs: Sequence[Any], to: str, options: AlignOptions) -> pb.AlignRequest:
    """The request of Align; the alignment is among its maps."""
    own = {name: options.get(name) for name in ("reverse_model", "symmetrization")}
    others: dict[str, Any] = {name: value for name, value in options.items() if name not in own}
    kinds = others.get("attention") or ()
    others["attention"] = ["alignment", *([kinds] if isinstance(kinds, str) else () if kinds is True else kinds)]
    if others.get("words") is None:
        others["words"] = True
    others["attention"] = list(dict.fromkeys(others["attention"]))
    request = with_options(pb.AlignRequest(), others)
    return _set_checked(_with_pairs(request, pairs), target_language=to, **own)


def _with_pairs(request: RequestT, pairs: Sequence[Any]) -> RequestT:
    """Adds the pairs. Raises InvalidArgument for each that is no pair of texts."""
    target: Any = request
    violations: list[FieldViolation] = []
    for index, pair in enumerate(pairs):
        added = target.pairs.add()
        if isinstance(pair, str | bytes) or not isinstance(pair, Sequence) or len(pair) != 2:
            violations.append(FieldViolation(f"pairs[{index}]", "must be two texts, the source and the target"))
        else:
            violations += _set_fields(added, {"source": pair[0], "target": pair[1]}, f"pairs[{index}].")
    return _checked(request, violations)


def as_pairs(pairs: object) -> tuple[bool, list[Any]]:
    """Whether the caller passed a single pair of texts, a tuple, and the pairs as a list."""
    if isinstance(pairs, tuple) and len(pairs) == 2 and all(isinstance(text, str) for text in pairs):
        return True, [pairs]
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
        raise TypeError(f"pairs must be a pair of texts or several; they are of type {type(pairs).__name__}")
    return False, list(pairs)


def list_models(task: Task | None) -> pb.ListModelsRequest:
    """The request of ListModels, for its first page."""
    return _set_checked(pb.ListModelsRequest(), task=task)


def get_model(name: str, version: str | None) -> pb.GetModelRequest:
    """The request of GetModel."""
    return _set_checked(pb.GetModelRequest(), name=name, version=version)


def load_model(name: str, version: str | None) -> pb.LoadModelRequest:
    """The request of LoadModel."""
    return _set_checked(pb.LoadModelRequest(), name=name, version=version)


def unload_model(name: str, version: str | None) -> pb.UnloadModelRequest:
    """The request of UnloadModel."""
    return _set_checked(pb.UnloadModelRequest(), name=name, version=version)


def as_list(texts: object) -> tuple[bool, list[Any]]:
    """Whether the caller passed a single text, and the texts as a list."""
    if isinstance(texts, str):
        return True, [texts]
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"texts must be a text or several; they are of type {type(texts).__name__}")
    return False, list(texts)


def read_images(images: ImageLike | list[ImageLike] | tuple[ImageLike, ...]) -> tuple[bool, list[bytes]]:
    """Whether the caller passed a single picture, and the bytes of the pictures' files."""
    if isinstance(images, list | tuple):
        return False, [read_image(image) for image in images]
    return True, [read_image(images)]


def with_options(request: RequestT, options: Mapping[str, Any]) -> RequestT:
    """Sets the options' fields. Raises TypeError for an unknown option, as any function does."""
    known = _GENERATION_OPTIONS | _ATTENTION_OPTIONS | _REQUEST_OPTIONS | _TEXT_OPTIONS | _OTHER_OPTIONS
    options = {_ALIASES.get(name, name): value for name, value in options.items()}
    check_names("option", options, known, TypeError)
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
        field = message.DESCRIPTOR.fields_by_name[name]
        is_several = isinstance(value, Iterable) and not isinstance(value, str | bytes)
        if field.is_repeated and not is_several:
            description = f"must be several; it is of type {type(value).__name__}"
            violations.append(FieldViolation(prefix + name, description))
            continue
        values = list(value) if field.is_repeated else [value]
        for index, each in enumerate(values):
            try:
                wire = _to_wire(field, each)
                getattr(message, name).append(wire) if field.is_repeated else setattr(message, name, wire)
            except ValueError as error:
                path = f"{prefix}{name}[{index}]" if field.is_repeated else prefix + name
                violations.append(FieldViolation(path, str(error)))
    return violations


def _to_wire(field: Any, value: Any) -> Any:
    """The value for the field: an enum's number for its short name; text only if it can be encoded as UTF-8.

    Raises:
        ValueError: the value is of another type than the field, or beyond what it holds.
    """
    if field.enum_type is not None:
        table = TABLES[field.enum_type.name]
        if value not in table.names:
            raise ValueError(f"{value!r} is none of {', '.join(table.names)}")
        return table.number(value)
    kind, description = _KINDS_BY_TYPE[field.type]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"must be {description}; it is of type {type(value).__name__}")
    if field.type == FieldDescriptor.TYPE_STRING:
        _check_text(value)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return float(value)
    return _whole_number(field, value) if field.type in _BITS_BY_TYPE else value


def _whole_number(field: Any, value: Any) -> int:
    limit = 2 ** _BITS_BY_TYPE[field.type]
    if not -limit <= value < limit:
        raise ValueError(f"must be in [{-limit}, {limit - 1}]; it is {value}")
    return int(value)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"is not valid Unicode: a lone surrogate at position {error.start}") from None
