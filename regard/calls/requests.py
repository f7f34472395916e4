"""Requests from Python arguments, for both clients."""

import numbers
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, TypeGuard, TypeVar

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from regard.calls.options import (
    AlignOptions,
    AnswerOptions,
    CallOptions,
    ClassifyOptions,
    DetectOptions,
    EncodeOptions,
    FillMaskOptions,
    GenerationOptions,
    ScoreOptions,
    TextOptions,
    TranslateOptions,
)
from regard.errors import FieldViolation, InvalidArgument
from regard.errors.names import check_names, closest
from regard.names import Task
from regard.v1 import regard_pb2 as pb
from regard.wire.enums import TABLES
from regard.wire.images import ImageLike, read_image

_GENERATION_OPTIONS = tuple(GenerationOptions.__annotations__)
_ATTENTION_OPTIONS = ("layers", "heads", "encoding", "attention_top_k", "alignment_method", "weighting")
_ATTENTION_FIELDS = {"attention_top_k": "top_k"}  # options whose field has another name
_REQUEST_OPTIONS = (
    "model",
    "priority",
    "truncation",
    "source_language",
    "control_tokens",
    "confidence",
    "glossaries",
    "suppressed",
    "num_alternatives",
)
_TEXT_OPTIONS = ("format", "unit", "raw", "protected_patterns")
_PREFIX_OPTIONS = ("target_prefix", "target_prefix_tokens", "prefix_bias")
_ALIASES = {"beams": "num_beams"}  # the command line's name
# What other libraries call these options.
_SYNONYMS = {
    "beam_size": "num_beams",
    "beam_width": "num_beams",
    "do_sample": "temperature",
    "from_language": "source_language",
    "lang": "to",
    "language": "to",
    "max_decoding_length": "max_new_tokens",
    "max_length": "max_new_tokens",
    "max_tokens": "max_new_tokens",
    "min_length": "min_new_tokens",
    "n": "num_return_sequences",
    "n_best": "num_return_sequences",
    "nbest": "num_return_sequences",
    "num_hypotheses": "num_return_sequences",
    "output_attentions": "attention",
    "return_attention": "attention",
    "source": "source_language",
    "source_lang": "source_language",
    "src_lang": "source_language",
    "target": "to",
    "target_lang": "to",
    "target_language": "to",
    "tgt_lang": "to",
    "to_language": "to",
}

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
ChoiceT = TypeVar("ChoiceT", pb.ClassifyRequest, pb.DetectRequest, pb.AnswerRequest)


def translate(texts: Sequence[str], to: str, options: TranslateOptions) -> pb.TranslateRequest:
    """The request of Translate. A single prefix is that of every text."""
    request = with_options(pb.TranslateRequest(), options)
    if isinstance(options.get("target_prefix"), str):
        request.target_prefixes.extend([request.target_prefixes[0]] * (len(texts) - 1))
    return set_checked(request, texts=texts, target_language=to)


def stream_translate(text: str, to: str, options: TranslateOptions) -> pb.StreamTranslateRequest:
    """The request of StreamTranslate."""
    return set_checked(with_options(pb.StreamTranslateRequest(), options), text=text, target_language=to)


def summarize(texts: Sequence[str], style: str | None, options: TextOptions) -> pb.SummarizeRequest:
    """The request of Summarize."""
    return set_checked(with_options(pb.SummarizeRequest(), options), texts=texts, style=style)


def stream_summarize(text: str, style: str | None, options: TextOptions) -> pb.StreamSummarizeRequest:
    """The request of StreamSummarize."""
    return set_checked(with_options(pb.StreamSummarizeRequest(), options), text=text, style=style)


def caption(images: Sequence[bytes], options: CallOptions) -> pb.CaptionRequest:
    """The request of Caption."""
    return set_checked(with_options(pb.CaptionRequest(), options), images=images)


def stream_caption(image: bytes, options: CallOptions) -> pb.StreamCaptionRequest:
    """The request of StreamCaption."""
    return set_checked(with_options(pb.StreamCaptionRequest(), options), image=image)


def score(pairs: Sequence[Any], to: str, options: ScoreOptions) -> pb.ScoreRequest:
    """The request of Score."""
    request = with_options(pb.ScoreRequest(), options)
    return set_checked(_with_pairs(request, pairs), target_language=to)


def align(pairs: Sequence[Any], to: str, options: AlignOptions) -> pb.AlignRequest:
    """The request of Align; the alignment is among its maps."""
    own = {name: options.get(name) for name in ("reverse_model", "symmetrization")}
    others: dict[str, Any] = {name: value for name, value in options.items() if name not in own}
    if others.get("words") is None:
        others["words"] = True
    violations, kinds = _kinds(others.get("attention") or ())
    _checked(pb.AlignRequest(), violations)
    others["attention"] = list(dict.fromkeys(["alignment", *kinds]))
    request = with_options(pb.AlignRequest(), others)
    return set_checked(_with_pairs(request, pairs), target_language=to, **own)


def encode(texts: Sequence[str], options: EncodeOptions) -> pb.EncodeRequest:
    """The request of Encode."""
    others, own = _apart(options, ("pooling", "normalized"))
    return set_checked(with_options(pb.EncodeRequest(), others, beside=own), texts=texts, **own)


def classify(
    texts: Sequence[str] | None, images: Sequence[bytes] | None, options: ClassifyOptions
) -> pb.ClassifyRequest:
    """The request of Classify, with texts or with pictures."""
    return _with_choice(pb.ClassifyRequest(), options, texts=texts, images=images)


def fill_mask(texts: Sequence[str], options: FillMaskOptions) -> pb.FillMaskRequest:
    """The request of FillMask."""
    others, own = _apart(options, ("top_k",))
    return set_checked(with_options(pb.FillMaskRequest(), others, beside=own), texts=texts, **own)


def detect(images: Sequence[bytes], options: DetectOptions) -> pb.DetectRequest:
    """The request of Detect."""
    return _with_choice(pb.DetectRequest(), options, images=images)


def answer(images: Sequence[bytes], questions: Sequence[str], options: AnswerOptions) -> pb.AnswerRequest:
    """The request of Answer."""
    return _with_choice(pb.AnswerRequest(), options, images=images, questions=questions)


def _with_choice(request: ChoiceT, options: Mapping[str, Any], **inputs: Any) -> ChoiceT:
    """Sets inputs, which labels to return, and what to explain. Raises InvalidArgument."""
    others, own = _apart(options, ("labels", "top_k", "threshold", "explain", "explain_label"))
    with_options(request, others, beside=own)
    evidence, label = own.pop("explain"), own.pop("explain_label")
    named = [evidence] if isinstance(evidence, str) else evidence
    violations = _set_fields(request, {**inputs, **own})
    violations += _set_fields(request.explain, {"evidence": named, "label": label}, "explain.")
    return _checked(request, violations)


def _apart(options: Mapping[str, Any], names: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of a call that others have, and those of its own."""
    own = {name: options.get(name) for name in names}
    return {name: value for name, value in options.items() if name not in own}, own


def _with_pairs(request: RequestT, pairs: Sequence[Any]) -> RequestT:
    """Adds the pairs. Raises InvalidArgument for each that is no pair of texts."""
    target: Any = request
    violations: list[FieldViolation] = []
    for index, pair in enumerate(pairs):
        added = target.pairs.add()
        sides = list(pair) if _is_several(pair) else []
        if len(sides) != 2:
            violations.append(FieldViolation(f"pairs[{index}]", "must be two texts, the source and the target"))
        else:
            violations += _set_fields(added, {"source": sides[0], "target": sides[1]}, f"pairs[{index}].")
    return _checked(request, violations)


def as_pairs(pairs: object) -> tuple[bool, list[Any]]:
    """Whether the caller passed a single pair of texts, a tuple, and the pairs as a list."""
    if isinstance(pairs, tuple) and len(pairs) == 2 and all(isinstance(text, str) for text in pairs):
        return True, [pairs]
    return False, list(checked_several(pairs, "pairs must be a tuple (source, target), or a list of such tuples"))


def list_models(task: Task | None) -> pb.ListModelsRequest:
    """The request of ListModels, for its first page."""
    return set_checked(pb.ListModelsRequest(), task=task)


def get_model(name: str, version: str | None) -> pb.GetModelRequest:
    """The request of GetModel."""
    return set_checked(pb.GetModelRequest(), **_name_and_version(name, version))


def load_model(name: str, version: str | None) -> pb.LoadModelRequest:
    """The request of LoadModel."""
    return set_checked(pb.LoadModelRequest(), **_name_and_version(name, version))


def unload_model(name: str, version: str | None) -> pb.UnloadModelRequest:
    """The request of UnloadModel."""
    return set_checked(pb.UnloadModelRequest(), **_name_and_version(name, version))


def _name_and_version(name: str, version: str | None) -> dict[str, str | None]:
    """Both, where the name may be "everyday@2"."""
    if version is None and isinstance(name, str):
        name, _, version = name.partition("@")
    return {"name": name, "version": version or None}


def put_glossary(
    name: str, source_language: str, target_language: str, terms: Any, file: bytes, media_type: str
) -> pb.PutGlossaryRequest:
    """The request of PutGlossary, with terms or with a file."""
    request = set_checked(
        pb.PutGlossaryRequest(),
        name=name,
        source_language=source_language,
        target_language=target_language,
        file=file,
        media_type=media_type,
    )
    return _checked(request, set_terms(request, terms or ()))


def as_list(texts: object) -> tuple[bool, list[Any]]:
    """Whether the caller passed a single text, and the texts as a list."""
    if isinstance(texts, str):
        return True, [texts]
    if isinstance(texts, PathLike):
        raise TypeError(f"texts must be texts, not files; translate_document takes the file {str(texts)!r}")
    return False, list(checked_several(texts, "texts must be a text, or a list of texts"))


def checked_several(values: object, expected: str) -> Iterable[Any]:
    """The values, if they are several.

    Raises:
        TypeError: they are one value, or what iterates over other things than its values: a dictionary over its keys, a
            table over the names of its columns.
    """
    if hasattr(values, "columns") and not isinstance(values, str):
        raise TypeError(f"{expected}; it is a table, of type {type(values).__name__}: pass one of its columns")
    if not _is_several(values):
        raise TypeError(f"{expected}; it is of type {type(values).__name__}")
    return values


def _is_several(values: object) -> TypeGuard[Iterable[Any]]:
    """Whether a value holds others in an order; an array without axes holds one."""
    single = (str, bytes, bytearray, memoryview, Mapping)
    return isinstance(values, Iterable) and not isinstance(values, single) and getattr(values, "ndim", 1) != 0


def read_images(images: ImageLike | list[ImageLike] | tuple[ImageLike, ...]) -> tuple[bool, list[bytes]]:
    """Whether the caller passed a single picture, and the bytes of the pictures' files."""
    if isinstance(images, list | tuple):
        return False, [read_image(image) for image in images]
    return True, [read_image(images)]


def with_options(request: RequestT, options: Mapping[str, Any], *, beside: Iterable[str] = ()) -> RequestT:
    """Sets the options' fields. Raises TypeError for an option that the call does not have, as any function does.

    Args:
        beside: options that the call has, and that are set elsewhere.
    """
    known = _options_of(request) | {*beside}
    arguments = {"to"} if "target_language" in request.DESCRIPTOR.fields_by_name else set()  # beside the options
    for alias, name in _ALIASES.items():
        if alias in options and name in options:
            raise TypeError(f"{alias!r} and {name!r} are the same option")
    options = {_ALIASES.get(name, name): value for name, value in options.items()}
    if not known.issuperset(options):
        check_names("option", options, sorted(known | arguments), TypeError, _SYNONYMS)
        raise TypeError("'to' is given twice")  # pragma: no cover, as an argument it is no option
    given = {name: value for name, value in options.items() if value is not None}
    generation = {name: value for name, value in given.items() if name in _GENERATION_OPTIONS}
    fields = {name: value for name, value in given.items() if name in _REQUEST_OPTIONS}
    violations = _set_fields(request, fields)
    target: Any = request
    violations += _set_fields(target.generation, generation, "generation.") if generation else []
    violations += _set_attention(target, given)
    violations += _set_text_options(target, given)
    violations += set_terms(target, given.get("terms", ()))
    violations += _set_prefixes(target, given)
    return _checked(request, violations)


def _options_of(request: Message) -> set[str]:
    """The options that a call has: those whose fields its request has."""
    fields = request.DESCRIPTOR.fields_by_name
    known = {"timeout", *(name for name in _REQUEST_OPTIONS if name in fields)}
    if "generation" in fields:
        known.update(_GENERATION_OPTIONS)
    if "attention" in fields:
        known.update(("attention", "words", *_ATTENTION_OPTIONS))
    if "text_options" in fields:
        known.update((*_TEXT_OPTIONS, "protected_spans"))
    if "terms" in fields:
        known.add("terms")
    if "target_prefix" in fields or "target_prefixes" in fields:
        known.update(_PREFIX_OPTIONS)
    return known


def _set_text_options(request: Any, given: Mapping[str, Any]) -> list[FieldViolation]:
    """Sets the fields of a TextOptions; a request without options has none."""
    fields = {name: value for name, value in given.items() if name in _TEXT_OPTIONS and value is not False}
    violations = _set_fields(request.text_options, fields, "text_options.") if fields else []
    spans = given.get("protected_spans", ())
    path = "text_options.protected_spans"
    if not _is_several(spans):
        return [*violations, FieldViolation(path, f"must be a list; it is of type {type(spans).__name__}")]
    for index, each in enumerate(spans):
        numbers_ = tuple(each) if _is_several(each) else ()
        if len(numbers_) != 3 or not all(map(_is_whole_number, numbers_)):
            description = f"must be (index of the text, start, end), three whole numbers; it is {each!r}"
            violations.append(FieldViolation(f"{path}[{index}]", description))
            continue
        text, start, end = map(int, numbers_)
        request.text_options.protected_spans.add(text=text).span.MergeFrom(pb.Span(start=start, end=end))
    return violations


def set_terms(request: Any, terms: Any) -> list[FieldViolation]:
    """Sets the terms of a request. Args: terms: a mapping of sources to targets, or several terms."""
    several = terms.items() if isinstance(terms, Mapping) else terms
    if not isinstance(terms, Mapping) and not _is_several(terms):
        expected = 'must be a dictionary such as {"dog": "Hund"}, or a list of pairs or Terms'
        return [FieldViolation("terms", f"{expected}; it is of type {type(terms).__name__}")]
    violations: list[FieldViolation] = []
    for index, term in enumerate(several):
        names = ("source", "target", "case_sensitive", "part_of_word")
        parts = list(term) if _is_several(term) else []
        if not 2 <= len(parts) <= len(names):
            violations.append(FieldViolation(f"terms[{index}]", "must be a source and a target, or a Term"))
            continue
        violations += _set_fields(request.terms.add(), dict(zip(names, parts, strict=False)), f"terms[{index}].")
    return violations


def _set_prefixes(request: Any, given: Mapping[str, Any]) -> list[FieldViolation]:
    """Sets how outputs begin: one prefix, or one for each text."""
    texts, tokens = given.get("target_prefix"), given.get("target_prefix_tokens")
    if texts is None and tokens is None:
        return []
    if texts is not None and not isinstance(texts, str) and not _is_several(texts):
        description = f"must be a text, or a list with one for each text; it is of type {type(texts).__name__}"
        return [FieldViolation("target_prefix", description)]
    many = [texts] if texts is None or isinstance(texts, str) else list(texts)
    violations: list[FieldViolation] = []
    for index, text in enumerate(many):
        is_stream = "target_prefix" in request.DESCRIPTOR.fields_by_name
        if is_stream and index:
            violations.append(FieldViolation("target_prefix", f"holds {len(many)}; a stream has one text"))
            break
        prefix = request.target_prefix if is_stream else request.target_prefixes.add()
        fields = {"text": text, "tokens": tokens, "bias": given.get("prefix_bias")}
        violations += _set_fields(prefix, fields, "target_prefix." if is_stream else f"target_prefixes[{index}].")
    return violations


def _is_whole_number(value: object) -> bool:
    is_number = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_number and abs(int(value)) < 2**31  # type: ignore[call-overload]  # a whole number


def _set_attention(request: Any, given: Mapping[str, Any]) -> list[FieldViolation]:
    """Sets the fields of an AttentionConfig; none if no kind is chosen."""
    words = given.get("words", False)
    violations, kinds = _kinds(given.get("attention", False))
    if violations:
        return violations
    if not isinstance(words, bool | np.bool):
        return [FieldViolation("words", f"must be True or False; it is of type {type(words).__name__}")]
    if not kinds:
        return _without_effect(given)
    fields = {_ATTENTION_FIELDS.get(name, name): given[name] for name in _ATTENTION_OPTIONS if name in given}
    return _set_fields(
        request.attention, fields | {"kinds": kinds, "granularity": "word" if words else "token"}, "attention."
    )


def _without_effect(given: Mapping[str, Any]) -> list[FieldViolation]:
    """Violations of options of maps beside no `attention`; `attention=False` says that the call has none on purpose."""
    if "attention" in given:
        return []
    description = "has no effect without attention, which names the maps; True is the alignment"
    return [FieldViolation(name, description) for name in _ATTENTION_OPTIONS if name in given]


def _kinds(chosen: Any) -> tuple[list[FieldViolation], list[Any]]:
    """What is wrong with the option `attention`, and the kinds that it names."""
    if isinstance(chosen, bool):
        return [], ["alignment"] if chosen else []
    if isinstance(chosen, str):
        return [], [chosen]
    if not _is_several(chosen):
        description = f"must be True, a kind of map or several kinds; it is of type {type(chosen).__name__}"
        return [FieldViolation("attention", description)], []
    return [], list(chosen)


def set_checked(request: RequestT, **fields: Any) -> RequestT:
    """Sets fields of a request; None leaves one unset. Raises InvalidArgument for bad values."""
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
        if field.is_repeated and not _is_several(value):
            description = f"must be a list; it is of type {type(value).__name__}"
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
        return _enum_number(field.enum_type, value)
    kind, description = _KINDS_BY_TYPE[field.type]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"must be {description}; it is of type {type(value).__name__}")
    if field.type == FieldDescriptor.TYPE_STRING:
        _check_text(value)
    if field.type == FieldDescriptor.TYPE_FLOAT:
        return float(value)
    return _whole_number(field, value) if field.type in _BITS_BY_TYPE else value


def _enum_number(enum: Any, value: Any) -> int:
    """The number of a value by its short name, or by the name that it has in the .proto."""
    table = TABLES[enum.name]
    names = list(table.names)
    long_prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    name = value.removeprefix(long_prefix).lower() if isinstance(value, str) else value
    if name in names:
        return int(table.number(name))
    close = closest(name, names) if isinstance(name, str) else None
    raise ValueError(f"{value!r} is none of {', '.join(names)}" + (f"; did you mean {close!r}?" if close else ""))


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
