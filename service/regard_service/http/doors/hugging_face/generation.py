"""Parameters of transformers' `generate` as this API's `generation`."""

from collections.abc import Iterator, Mapping
from typing import Any

from regard_service.errors import FieldViolation, InvalidInput
from regard_service.http.json_fields import shown

NESTED = ("generate_parameters", "generation_parameters", "generate_kwargs")
_OWN = (
    "num_beams",
    "max_new_tokens",
    "min_new_tokens",
    "length_penalty",
    "num_return_sequences",
    "no_repeat_ngram_size",
    "repetition_penalty",
    "temperature",
    "top_k",
    "top_p",
    "seed",
)
_LENGTHS = {"max_length": "max_new_tokens", "min_length": "min_new_tokens"}
_EARLY_STOPPING = {"true": "first", "false": "heuristic", "never": "never"}
_TRUNCATION = {"do_not_truncate": "reject", "longest_first": "truncate", "only_first": "truncate"}
_LANGUAGES = {"src_lang": "source_language", "tgt_lang": "target_language"}
_WITHOUT_EFFECT = ("use_cache",)  # the state of a step is always kept
PARAMETERS = (*_OWN, *_LENGTHS, "early_stopping", "do_sample", *_WITHOUT_EFFECT)
"""The parameters of `generate` that are read."""


class Parameters:
    """The parameters of a request.

    Attributes:
        fields: of our request, as JSON.
        paths: what the client calls each field.
    """

    def __init__(self, given: Mapping[str, Any], *, has_languages: bool, has_truncation: bool) -> None:
        self.fields: dict[str, Any] = {}
        self.paths: dict[str, str] = {}
        self._generation: dict[str, Any] = {}
        self._faults: list[FieldViolation] = []
        languages = _LANGUAGES if has_languages else {}
        for path, name, value in _flat(given):
            if name in languages:
                self._set(languages[name], value, path)
            elif name == "truncation" and has_truncation:
                self._set("truncation", self._chosen(_TRUNCATION, value, path), path)
            else:
                self._generate(name, value, path)
        if self._generation:
            self.fields["generation"] = self._generation
        if self._faults:
            raise InvalidInput(self._faults)

    def _generate(self, name: str, value: Any, path: str) -> None:
        if name in _OWN:
            self._set_generation(name, value, path)
        elif name in _LENGTHS:
            self._set_length(_LENGTHS[name], value, path)
        elif name == "early_stopping":
            self._set_generation(name, self._chosen(_EARLY_STOPPING, _as_text(value), path), path)
        elif name == "do_sample":
            self._sample(value, path)
        elif name not in _WITHOUT_EFFECT:
            known = ", ".join(PARAMETERS)
            self._faults.append(FieldViolation(path, f"is no parameter that this server has; there are {known}"))

    def _set(self, name: str, value: Any, path: str) -> None:
        self.fields[name] = value
        self.paths[name] = path

    def _set_generation(self, name: str, value: Any, path: str) -> None:
        if name in self._generation:
            self._faults.append(FieldViolation(path, "is given twice"))
        self._generation[name] = value
        self.paths[f"generation.{name}"] = path

    def _set_length(self, name: str, value: Any, path: str) -> None:
        """A length counts the decoder's start token, which is no new token."""
        if isinstance(value, bool) or not isinstance(value, int):
            self._faults.append(FieldViolation(path, f"must be a whole number; it is {shown(value)}"))
        elif name not in self._generation:  # the new tokens go before the length
            self._set_generation(name, max(0, value - 1), path)

    def _chosen(self, values: Mapping[str, str], value: Any, path: str) -> str | None:
        """Returns our name of a choice; None, which leaves a field unset, beside a fault."""
        if isinstance(value, str) and value in values:
            return values[value]
        self._faults.append(FieldViolation(path, f"must be one of {', '.join(values)}; it is {shown(value)}"))
        return None

    def _sample(self, value: Any, path: str) -> None:
        """Without a temperature, sampling draws from the model's own distribution."""
        if not isinstance(value, bool):
            self._faults.append(FieldViolation(path, f"must be true or false; it is {shown(value)}"))
        elif not value:
            self._generation["temperature"] = 0.0
        else:
            self._generation.setdefault("temperature", 1.0)


def _flat(given: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yields path, name and value of each parameter, those of nested objects too; new tokens before lengths."""
    flat: list[tuple[str, str, Any]] = []
    for name, value in given.items():
        if name in NESTED and isinstance(value, dict):
            flat += [(f"parameters.{name}.{inner}", inner, each) for inner, each in value.items()]
        else:
            flat.append((f"parameters.{name}", name, value))
    late = (*_LENGTHS, "do_sample")
    yield from sorted((each for each in flat if each[2] is not None), key=lambda each: each[1] in late)


def _as_text(value: Any) -> Any:
    """Returns true and false as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else value
