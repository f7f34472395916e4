"""The warm-up: a model's first few tokens, made before anybody can ask it for any."""

from dataclasses import replace

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.bundle import ImageSource, Manifest
from regard_service.calls.options import Violations, resolve_generation
from regard_service.domain import GenerationOptions
from regard_service.engine.core.decode import decode
from regard_service.engine.core.request import EngineRequest
from regard_service.engine.runtime.runner import Runner
from regard_service.pictures.reader import ImageReader
from regard_service.text.text import SourceReader

TEXT = "A."
MAX_NEW_TOKENS = 4


class WarmUpError(Exception):
    """A model that cannot make a few tokens, and why."""


def warm_up(runner: Runner, reader: SourceReader | ImageReader) -> None:
    """Runs one tiny generation through a runner that nobody else uses: both graphs and the search.

    Raises:
        WarmUpError: a graph fails, or its scores are not numbers.
    """
    try:
        (result,) = decode(runner, [_request(runner.manifest, reader)])
    except Exception as error:  # whatever a graph of somebody else's may do
        raise WarmUpError(f"warm-up: {error}") from error
    if not all(np.isfinite(each.logprobs).all() for each in result.hypotheses):
        raise WarmUpError("warm-up: the log-probabilities are not numbers")


def _request(manifest: Manifest, reader: SourceReader | ImageReader) -> EngineRequest:
    key = next(iter(manifest.target_languages if manifest.task == "translation" else manifest.styles), "")
    violations = Violations()
    generation = resolve_generation(GenerationOptions(), manifest, key, violations)
    violations.raise_if_any()
    num_tokens = min(MAX_NEW_TOKENS, generation.max_new_tokens)
    short = replace(generation, max_new_tokens=num_tokens, min_new_tokens=min(num_tokens, generation.min_new_tokens))
    return EngineRequest(_source(manifest, reader, key), short)


def _source(manifest: Manifest, reader: SourceReader | ImageReader, key: str) -> Int64Array | Float32Array:
    """A short text, or a picture of the mean colour."""
    if isinstance(reader, SourceReader):
        language = next(iter(manifest.source_languages), "")
        return reader.read(TEXT, field="text", key=key, truncation="truncate", language=language).array
    if isinstance(manifest.source, ImageSource):
        return np.zeros((3, manifest.source.height, manifest.source.width), np.float32)
    raise WarmUpError("the manifest's source is neither text nor picture")
