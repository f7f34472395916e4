"""A request for vectors: `{"input": ..., "model": ...}`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from regard_service.errors import FieldViolation, InvalidInput
from regard_service.http.doors.given import Given
from regard_service.http.json_fields import shown
from regard_service.http.json_requests import parse_json

FIELDS = ("input", "model", "encoding_format", "dimensions", "user")
_FORMATS = ("float", "base64")
_TOKENS = "is a list of token ids, which mean nothing to this model: send texts"


@dataclass(frozen=True)
class Embeddings:
    """A request for vectors.

    Attributes:
        texts: of the field `input`.
        model: its name, or "NAME@VERSION".
        is_list: whether `input` is a list.
        is_base64: whether vectors are written as base64 of float32, little-endian; otherwise as lists of numbers.
        dimensions: that the vectors shall have; None: the model decides.
    """

    texts: tuple[str, ...]
    model: str
    is_list: bool
    is_base64: bool
    dimensions: int | None


def read_embeddings(given: Given) -> Embeddings:
    """Reads a request. `user` has no effect. Raises InvalidInput, which names every bad field."""
    value = parse_json(given.body)
    if not isinstance(value, dict):
        raise InvalidInput.of("request", f"the body must be a JSON object; it is {shown(value)}")
    faults = list(_faults(value))
    if faults:
        raise InvalidInput(faults)
    texts = value["input"]
    return Embeddings(
        texts=(texts,) if isinstance(texts, str) else tuple(texts),
        model=value["model"],
        is_list=not isinstance(texts, str),
        is_base64=value.get("encoding_format") == "base64",
        dimensions=value.get("dimensions"),
    )


def read_nothing(given: Given) -> None:
    """Reads a request without fields."""


def read_model(given: Given) -> str:
    """Returns the name of the model in a path."""
    return (given.in_path or {}).get("model", "")


def _faults(value: dict[str, Any]) -> Iterator[FieldViolation]:
    for name in value:
        if name not in FIELDS:
            yield FieldViolation(name, f"there is no such field; there are {', '.join(FIELDS)}")
    yield from _input_faults(value.get("input"))
    model, user = value.get("model"), value.get("user")
    if not isinstance(model, str) or not model:
        yield FieldViolation("model", "is missing" if model is None else f"must be a name; it is {shown(model)}")
    if value.get("encoding_format") not in (None, *_FORMATS):
        yield FieldViolation("encoding_format", f"must be float or base64; it is {shown(value['encoding_format'])}")
    dimensions = value.get("dimensions")
    if dimensions is not None and (isinstance(dimensions, bool) or not isinstance(dimensions, int) or dimensions < 1):
        yield FieldViolation("dimensions", f"must be a whole number of at least 1; it is {shown(dimensions)}")
    if user is not None and not isinstance(user, str):
        yield FieldViolation("user", f"must be a text; it is {shown(user)}")


def _input_faults(texts: Any) -> Iterator[FieldViolation]:
    if texts is None:
        yield FieldViolation("input", "is missing")
    elif not isinstance(texts, str | list):
        yield FieldViolation("input", f"must be a text, or a list of texts; it is {shown(texts)}")
    elif isinstance(texts, list):
        if texts and all(_is_id(each) for each in texts):
            yield FieldViolation("input", _TOKENS)
            return
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                is_ids = isinstance(text, list) and all(_is_id(each) for each in text)
                yield FieldViolation(f"input[{index}]", _TOKENS if is_ids else f"must be a text; it is {shown(text)}")


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
