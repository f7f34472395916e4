"""A request for a model: `{"inputs": ..., "parameters": {...}}`, or the bytes of a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from regard_service.errors import FieldViolation, InvalidInput
from regard_service.http.doors.given import Given
from regard_service.http.json_fields import shown
from regard_service.http.json_requests import parse_json

_FIELDS = ("inputs", "parameters", "options")


@dataclass(frozen=True)
class Inference:
    """A request for a model.

    Attributes:
        model: its name, or "NAME@VERSION".
        inputs: of JSON any value; else the bytes of the body.
    """

    model: str
    inputs: Any
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_list(self) -> bool:
        """Whether the answer is a list for each input."""
        return isinstance(self.inputs, list)


def read_inference(given: Given) -> Inference:
    """Reads a request. A body that begins with "{" is JSON, whatever its type is said to be: `curl -d` says a form.

    `options` (`use_cache`, `wait_for_model`) have no effect: nothing is cached, and models are loaded.

    Raises:
        InvalidInput: names every bad field.
    """
    model = read_model(given)
    is_json = given.headers.get("content-type", "").partition(";")[0].strip().lower().endswith("json")
    if not given.body:
        raise InvalidInput.of("inputs", 'is missing: the body must be {"inputs": ...}, or the bytes of a picture')
    if not is_json and given.body.lstrip()[:1] != b"{":
        return Inference(model, given.body)
    value = parse_json(given.body)
    if not isinstance(value, dict):
        raise InvalidInput.of("request", f"the body must be a JSON object; it is {shown(value)}")
    faults = [
        FieldViolation(name, f"there is no such field; there are {', '.join(_FIELDS)}")
        for name in value
        if name not in _FIELDS
    ]
    if value.get("inputs") is None:
        faults.append(FieldViolation("inputs", "is missing"))
    faults += [
        FieldViolation(name, f"must be an object; it is {shown(value[name])}")
        for name in ("parameters", "options")
        if not isinstance(value.get(name), dict | None)
    ]
    if faults:
        raise InvalidInput(faults)
    return Inference(model, value["inputs"], value.get("parameters") or {})


def read_model(given: Given) -> str:
    """Returns the name of the model in a path."""
    return (given.in_path or {}).get("model", "")
