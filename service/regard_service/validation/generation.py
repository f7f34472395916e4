"""Resolves generation options: what the caller set, and the model's defaults for the rest."""

import secrets
from typing import TypeVar

from regard_service.bundle import Manifest
from regard_service.domain.calls import GenerationOptions
from regard_service.generation import Generation, Sampling
from regard_service.validation.violations import Violations

T = TypeVar("T")

MAX_KNOWN = 1024  # settings that a resolver keeps


class GenerationResolver:
    """Resolves the options of a model's calls.

    Settings are kept: most calls have the same options, and get the very same object, which later steps look up faster.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._known: dict[tuple[GenerationOptions, str], Generation] = {}

    def resolve(self, options: GenerationOptions, key: str, violations: Violations) -> Generation:
        """Returns the settings of a decoding; arguments and violations as of `resolve_generation`."""
        known = self._known.get((options, key))
        if known is not None:
            return known
        found = Violations()
        generation = resolve_generation(options, self._manifest, key, found)
        violations.found += found.found
        if not found.found and generation.sampling is None:  # each call draws a seed of its own
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[options, key] = generation
        return generation


def resolve_generation(options: GenerationOptions, manifest: Manifest, key: str, violations: Violations) -> Generation:
    """Returns the settings of a decoding; adds what violates the model's limits or contradicts another field.

    Args:
        key: target language or style, which may force a first token.
    """
    defaults, limit = manifest.generation, manifest.max_target_tokens
    sampling = _sampling(options, violations)
    max_new_tokens = _first(options.max_new_tokens, min(defaults.max_new_tokens, limit))
    generation = Generation(
        max_new_tokens=max_new_tokens,
        num_beams=1 if sampling else _first(options.num_beams, defaults.num_beams),
        num_return_sequences=_first(options.num_return_sequences, 1),
        min_new_tokens=_first(options.min_new_tokens, min(defaults.min_new_tokens, max_new_tokens)),
        length_penalty=_first(options.length_penalty, defaults.length_penalty),
        early_stopping=_first(options.early_stopping, defaults.early_stopping),
        no_repeat_ngram_size=_first(options.no_repeat_ngram_size, defaults.no_repeat_ngram_size),
        repetition_penalty=_first(options.repetition_penalty, defaults.repetition_penalty),
        forced_first_id=manifest.target.forced_first_id(key),
        sampling=sampling,
        follows_source_length=_follows_source_length(options, manifest),
        whole_vocabulary=bool(options.whole_vocabulary),
    )
    _check(generation, manifest, violations)
    return generation


def _follows_source_length(options: GenerationOptions, manifest: Manifest) -> bool:
    """Whether neither the call nor the checkpoint limits an output's length.

    With "never", the search itself reads the limit.
    """
    has_limit = options.max_new_tokens is not None or manifest.generation.max_new_tokens < manifest.max_target_tokens
    return not has_limit and _first(options.early_stopping, manifest.generation.early_stopping) != "never"


def _check(generation: Generation, manifest: Manifest, violations: Violations) -> None:
    limit, most, least = manifest.max_target_tokens, generation.max_new_tokens, generation.min_new_tokens
    num_sequences, num_beams = generation.num_return_sequences, generation.num_beams
    if most > limit:
        violations.add("generation.max_new_tokens", f"is {most}; model {manifest.name!r} makes at most {limit}")
    if least > most:
        violations.add("generation.min_new_tokens", f"is {least}, more than max_new_tokens, {most}")
    if num_sequences > num_beams and not generation.sampling:
        violations.add("generation.num_return_sequences", f"is {num_sequences}, more than num_beams, {num_beams}")


def _sampling(options: GenerationOptions, violations: Violations) -> Sampling | None:
    """Returns the sampling, which any of its fields switches on, unless the temperature is 0."""
    has_field = any(value is not None for value in (options.temperature, options.top_k, options.top_p))
    if not has_field or options.temperature == 0:
        return None
    if _first(options.num_beams, 1) > 1:
        violations.add("generation.num_beams", f"is {options.num_beams}; sampling has one beam")
    return Sampling(
        temperature=_first(options.temperature, 1.0),
        top_k=_first(options.top_k, 0),
        top_p=_first(options.top_p, 1.0),
        seed=options.seed if options.seed is not None else secrets.randbits(63),
    )


def _first(value: T | None, default: T) -> T:
    return default if value is None else value
