"""From what a caller set, and the model's defaults, to what the engine runs."""

import secrets
from dataclasses import dataclass, field
from typing import TypeVar

from regard_service.bundle import Manifest
from regard_service.domain import AttentionOptions, GenerationOptions
from regard_service.errors import FieldViolation, InvalidInput
from regard_service.generation import Generation, Sampling
from regard_service.maps.maker import num_layers_and_heads, offered_kinds

T = TypeVar("T")


@dataclass
class Violations:
    """Collects every bad field, to raise them together."""

    found: list[FieldViolation] = field(default_factory=list)

    def add(self, name: str, description: str) -> None:
        self.found.append(FieldViolation(name, description))

    def raise_if_any(self) -> None:
        if self.found:
            raise InvalidInput(self.found)


def resolve_generation(options: GenerationOptions, manifest: Manifest, key: str, violations: Violations) -> Generation:
    """Fills in the model's defaults and checks what depends on the model or on several fields.

    Args:
        key: target language or style, which may force a first token.
    """
    defaults = manifest.generation
    sampling = _sampling(options, violations)
    num_beams = 1 if sampling else _or(options.num_beams, defaults.num_beams)
    limit = manifest.max_target_tokens
    max_new_tokens = _or(options.max_new_tokens, min(defaults.max_new_tokens, limit))
    min_new_tokens = _or(options.min_new_tokens, min(defaults.min_new_tokens, max_new_tokens))
    num_return_sequences = _or(options.num_return_sequences, 1)
    if max_new_tokens > limit:
        violations.add(
            "generation.max_new_tokens", f"is {max_new_tokens}; model {manifest.name!r} makes at most {limit}"
        )
    if min_new_tokens > max_new_tokens:
        violations.add("generation.min_new_tokens", f"is {min_new_tokens}, more than max_new_tokens, {max_new_tokens}")
    if num_return_sequences > num_beams and not sampling:
        violations.add(
            "generation.num_return_sequences", f"is {num_return_sequences}, more than num_beams, {num_beams}"
        )
    return Generation(
        max_new_tokens=max_new_tokens,
        num_beams=num_beams,
        num_return_sequences=num_return_sequences,
        min_new_tokens=min_new_tokens,
        length_penalty=_or(options.length_penalty, defaults.length_penalty),
        early_stopping=_or(options.early_stopping, defaults.early_stopping),
        no_repeat_ngram_size=_or(options.no_repeat_ngram_size, defaults.no_repeat_ngram_size),
        repetition_penalty=_or(options.repetition_penalty, defaults.repetition_penalty),
        forced_first_id=manifest.target.forced_first_id(key),
        sampling=sampling,
    )


def _sampling(options: GenerationOptions, violations: Violations) -> Sampling | None:
    """Sampling is on when any of its fields is set and the temperature is not 0."""
    asked = any(value is not None for value in (options.temperature, options.top_k, options.top_p))
    if not asked or options.temperature == 0:
        return None
    if _or(options.num_beams, 1) > 1:
        violations.add("generation.num_beams", f"is {options.num_beams}; sampling has one beam")
    return Sampling(
        temperature=_or(options.temperature, 1.0),
        top_k=_or(options.top_k, 0),
        top_p=_or(options.top_p, 1.0),
        seed=options.seed if options.seed is not None else secrets.randbits(63),
    )


def check_attention(options: AttentionOptions, manifest: Manifest, violations: Violations) -> None:
    """Adds what the model does not offer: kinds, layers, heads, value norms."""
    offered = offered_kinds(manifest)
    for index, kind in enumerate(options.kinds):
        if kind not in offered:
            violations.add(
                f"attention.kinds[{index}]",
                f"{kind} is not offered by model {manifest.name!r}; it offers {', '.join(offered)}",
            )
    sizes = {kind: num_layers_and_heads(manifest, kind) for kind in options.kinds if kind in offered}
    # Without a kind the fields have no effect; they are checked all the same, against the decoder's.
    chosen = sizes or {"cross": num_layers_and_heads(manifest, "cross")}
    for axis, name in enumerate(("layers", "heads")):
        size = min(size[axis] for size in chosen.values())
        for position, index in enumerate(getattr(options, name)):
            if not 0 <= index < size:
                violations.add(
                    f"attention.{name}[{position}]", f"is {index}; model {manifest.name!r} has {size} {name}"
                )
    if options.value_norms and options.kinds and not manifest.is_traced:
        violations.add("attention.weighting", f"model {manifest.name!r} carries no value norms")


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
