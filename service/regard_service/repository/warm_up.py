"""The warm-up: generates a model's first tokens before callers can reach it."""

from dataclasses import replace

import numpy as np

from regard.arrays import Array, Float32Array
from regard_service.bundle import Manifest, PiecesOutput
from regard_service.domain.calls import GenerationOptions
from regard_service.engine.core.decode import decode
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.runtime.questions import question_record
from regard_service.engine.runtime.runner import Runner
from regard_service.generation import ONE_STEP
from regard_service.repository.readers import InputReader, QuestionReader
from regard_service.text.reading import SourceReader
from regard_service.validation.generation import resolve_generation
from regard_service.validation.violations import Violations

TEXT = "A."
MAX_NEW_TOKENS = 4


class WarmUpError(Exception):
    """The model cannot generate a few tokens; the message says why."""


def warm_up(runner: Runner, reader: InputReader) -> None:
    """Runs one short generation, both graphs and the search, on a runner that nothing else uses; with a shortlist too.
    Of a model without a decoder it runs the encode graph.

    Raises:
        WarmUpError: a graph fails, or its scores are not finite.
    """
    try:
        request = _request(runner.manifest, reader)
        kinds = (False, True) if runner.has_shortlist else (False,)
        results = [result for kind in kinds for result in decode(runner, [replace(request, is_listed=kind)])]
    except Exception as error:  # a bundle's graphs may raise anything
        raise WarmUpError(f"warm-up: {error}") from error
    if not all(np.isfinite(each.logprobs).all() for result in results for each in result.hypotheses):
        raise WarmUpError("warm-up: the log-probabilities are not numbers")
    for name, values in (each for result in results for each in result.outputs.items()):
        if not np.isfinite(values).all():
            raise WarmUpError(f"warm-up: {name} are not numbers")


def _request(manifest: Manifest, reader: InputReader) -> EngineRequest:
    if not manifest.has_decoder:
        return EngineRequest(_source(manifest, reader, ""), ONE_STEP)
    key = next(iter(manifest.target_languages if manifest.task == "translation" else manifest.styles), "")
    violations = Violations()
    generation = resolve_generation(GenerationOptions(), manifest, key, violations)
    violations.raise_if_any()
    num_tokens = min(MAX_NEW_TOKENS, generation.max_new_tokens)
    short = replace(generation, max_new_tokens=num_tokens, min_new_tokens=min(num_tokens, generation.min_new_tokens))
    return EngineRequest(_source(manifest, reader, key), short)


def _source(manifest: Manifest, reader: InputReader, key: str) -> Array:
    """Returns a short text, or a picture of the mean colour, or both."""
    if isinstance(reader, QuestionReader):
        return question_record(_mean_picture(manifest), _source(manifest, reader.questions, key))
    if isinstance(reader, SourceReader):
        language = next(iter(manifest.source_languages), "")
        text, control = TEXT, frozenset[str]()
        if isinstance(manifest.output, PiecesOutput):  # whose sources always have a mask
            text, control = f"{manifest.output.mask} {TEXT}", frozenset({manifest.output.mask})
        return reader.read(
            text, field="text", key=key, truncation="truncate", language=language, control_tokens=control
        ).array
    return _mean_picture(manifest)


def _mean_picture(manifest: Manifest) -> Float32Array:
    source = manifest.image_source
    if source is None:
        raise WarmUpError("the manifest's source is neither text nor picture")
    return np.zeros((3, source.height, source.width), np.float32)
