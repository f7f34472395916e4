"""From Python arguments to requests; both clients build theirs here."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, TypeVar, Union

from google.protobuf.message import Message

from regard.errors import FieldViolation, InvalidArgument
from regard.results import AttentionKind, Task
from regard.v1 import regard_pb2 as pb

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# A path, the bytes of a JPEG, PNG or WebP file, or a Pillow image.
# (`|` does not take a name in quotes, which Pillow's has to be: it need not be installed.)
ImageLike: TypeAlias = Union[str, PathLike[str], bytes, "PillowImage"]


class GenerationOptions(TypedDict, total=False):
    """How the output is searched for; None, as absence, means the model's default.

    Names, meaning and bounds are those of the proto's GenerationConfig.
    """

    num_beams: int | None
    max_new_tokens: int | None
    min_new_tokens: int | None
    length_penalty: float | None
    early_stopping: Literal["first", "heuristic", "never"] | None
    num_return_sequences: int | None
    no_repeat_ngram_size: int | None
    repetition_penalty: float | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    seed: int | None


class AttentionOptions(TypedDict, total=False):
    """Which attention maps come with the result.

    `attention` names the kinds of map: one or several names, or True for the alignment. `words` counts words instead of
    tokens; `attention_top_k` sends only so many weights of each row; the rest is as in the proto's AttentionConfig.
    """

    attention: bool | AttentionKind | Sequence[AttentionKind] | None
    words: bool
    layers: Sequence[int] | None
    heads: Sequence[int] | None
    encoding: Literal["float32", "float16", "uint8"] | None
    attention_top_k: int | None
    alignment_method: Literal["plain", "shifted"] | None
    weighting: Literal["attention", "value_norm"] | None


class CallOptions(GenerationOptions, AttentionOptions, total=False):
    """What every call takes.

    `model` is a name ("everyday", or "everyday@2"); `priority` says how urgent the call is; `timeout` is in seconds,
    None being the client's and `math.inf` no limit.
    """

    model: str | None
    priority: Literal["interactive", "bulk"] | None
    timeout: float | None


class TextOptions(CallOptions, total=False):
    """What calls with texts take: also what to do with a text that is too long."""

    truncation: Literal["reject", "truncate", "split_and_join"] | None


class TranslateOptions(TextOptions, total=False):
    """What translations take: also the language of the texts; None leaves it to the model."""

    source_language: str | None


_GENERATION = frozenset(GenerationOptions.__annotations__)
_RENAMED_ATTENTION = {"attention_top_k": "top_k"}
_ATTENTION = frozenset({"layers", "heads", "encoding", "attention_top_k", "alignment_method", "weighting"})
_CALL = frozenset({"model", "priority", "truncation", "source_language"})
_OTHERS = frozenset({"attention", "words", "timeout"})

T = TypeVar("T")
RequestT = TypeVar("RequestT", bound=Message)


def translate(texts: Sequence[str], to: str, options: TranslateOptions) -> pb.TranslateRequest:
    """The request of Translate."""
    return _with_fields(_with_options(pb.TranslateRequest(), options), texts=texts, target_language=to)


def stream_translate(text: str, to: str, options: TranslateOptions) -> pb.StreamTranslateRequest:
    """The request of StreamTranslate."""
    return _with_fields(_with_options(pb.StreamTranslateRequest(), options), text=text, target_language=to)


def summarize(texts: Sequence[str], style: str | None, options: TextOptions) -> pb.SummarizeRequest:
    """The request of Summarize."""
    return _with_fields(_with_options(pb.SummarizeRequest(), options), texts=texts, style=style)


def stream_summarize(text: str, style: str | None, options: TextOptions) -> pb.StreamSummarizeRequest:
    """The request of StreamSummarize."""
    return _with_fields(_with_options(pb.StreamSummarizeRequest(), options), text=text, style=style)


def caption(images: Sequence[bytes], options: CallOptions) -> pb.CaptionRequest:
    """The request of Caption."""
    return _with_fields(_with_options(pb.CaptionRequest(), options), images=images)


def stream_caption(image: bytes, options: CallOptions) -> pb.StreamCaptionRequest:
    """The request of StreamCaption."""
    return _with_fields(_with_options(pb.StreamCaptionRequest(), options), image=image)


def list_models(task: Task | None) -> pb.ListModelsRequest:
    """The request of ListModels, for its first page."""
    return _with_fields(pb.ListModelsRequest(), task=task)


def get_model(name: str, version: str | None) -> pb.GetModelRequest:
    """The request of GetModel."""
    return _with_fields(pb.GetModelRequest(), name=name, version=version)


def one_or_many(inputs: T | list[T] | tuple[T, ...]) -> tuple[bool, list[T]]:
    """Whether it is one input by itself, and the inputs as a list."""
    if isinstance(inputs, list | tuple):
        return False, list(inputs)
    return True, [inputs]


def read_images(images: ImageLike | list[ImageLike] | tuple[ImageLike, ...]) -> tuple[bool, list[bytes]]:
    """Whether it is one picture by itself, and the files that go over the wire."""
    if isinstance(images, list | tuple):
        return False, [read_image(image) for image in images]
    return True, [read_image(images)]


def read_image(image: ImageLike) -> bytes:
    """The file that goes over the wire, of a path, of a file's bytes, or of a Pillow image."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | PathLike):
        return Path(image).read_bytes()
    return _pillow_file(image)


def _pillow_file(image: "PillowImage") -> bytes:
    """A Pillow image as a PNG, upright: PNG keeps no orientation of the file that it was read from."""
    from io import BytesIO

    from PIL import ImageOps

    file = BytesIO()
    ImageOps.exif_transpose(image).save(file, format="PNG")
    return file.getvalue()


def _with_options(request: RequestT, options: Mapping[str, Any]) -> RequestT:
    """Sets what `options` say; a name that is no option is a TypeError, as with any function."""
    unknown = sorted(set(options) - _GENERATION - _ATTENTION - _CALL - _OTHERS)
    if unknown:
        raise TypeError(f"unknown option {', '.join(unknown)}")
    given = {name: value for name, value in options.items() if value is not None}
    generation = {name: value for name, value in given.items() if name in _GENERATION}
    attention = _attention_fields(given)
    fields = {name: value for name, value in given.items() if name in _CALL}
    violations = _set_fields(request, fields)
    target: Any = request
    violations += _set_fields(target.generation, generation, "generation.") if generation else []
    violations += _set_fields(target.attention, attention, "attention.") if attention else []
    return _checked(request, violations)


def _attention_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an AttentionConfig; none if no kinds are asked for, as the others then have no effect."""
    wanted = given.get("attention", False)
    kinds = ["alignment"] if wanted is True else [wanted] if isinstance(wanted, str) else list(wanted or ())
    if not kinds:
        return {}
    fields = {_RENAMED_ATTENTION.get(name, name): given[name] for name in _ATTENTION if name in given}
    return fields | {"kinds": kinds, "granularity": "word" if given.get("words") else "token"}


def _with_fields(request: RequestT, **fields: Any) -> RequestT:
    return _checked(request, _set_fields(request, fields))


def _checked(request: RequestT, violations: list[FieldViolation]) -> RequestT:
    if violations:
        raise InvalidArgument.of(violations)
    return request


def _set_fields(message: Message, fields: Mapping[str, Any], prefix: str = "") -> list[FieldViolation]:
    """Sets those that are not None; returns what does not fit the field's type, as the server would say it."""
    violations: list[FieldViolation] = []
    for name, value in fields.items():
        if value is None:
            continue
        repeated = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        paths = [f"{prefix}{name}[{i}]" for i in range(len(value))] if repeated else [prefix + name]
        for path, each in zip(paths, value if repeated else [value], strict=True):
            try:
                wire = _to_wire(message, name, each)
                getattr(message, name).append(wire) if repeated else setattr(message, name, wire)
            except ValueError as error:
                violations.append(FieldViolation(path, str(error)))
    return violations


def _to_wire(message: Message, name: str, value: Any) -> Any:
    """A value as the field takes it: an enum's short name as its number; text only if UTF-8 can carry it."""
    enum = message.DESCRIPTOR.fields_by_name[name].enum_type
    if enum is not None:
        prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
        known = {each.name.removeprefix(prefix).lower(): each.number for each in enum.values if each.number}
        if value not in known:
            raise ValueError(f"{value!r} is none of {', '.join(known)}")
        return known[value]
    if isinstance(value, str):
        _check_text(value)
    return value


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"is not valid Unicode: a lone surrogate at position {error.start}") from None
