"""Turns the engine's results into a call's results: text, tokens, words and attention maps."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from regard.arrays import Float32Array, Int64Array
from regard_service.calls.events import EventBuilder
from regard_service.calls.inputs import Parts, copy_source, source_of, special_units, words_of
from regard_service.confidence.sources import source_share
from regard_service.domain.calls import AttentionOptions
from regard_service.domain.results import (
    AttentionMap,
    Hypothesis,
    Link,
    OutputWarning,
    Result,
    Source,
    Timings,
    WarningReason,
    Word,
)
from regard_service.engine.core.result import EngineHypothesis, EngineResult
from regard_service.errors import InvalidInput
from regard_service.generation import FinishReason, Generation
from regard_service.maps.blocks import block_diagonal
from regard_service.maps.builder import MapBuilder
from regard_service.maps.links import coverage, entropy, hard_links, source_coverage, symmetric_links
from regard_service.maps.word_maps import map_between_words
from regard_service.passages.output_checks import output_faults
from regard_service.repository.loader import LoadedModel
from regard_service.text.reading import SourceText
from regard_service.text.writing import TargetText, join_texts

# Weights of a map. The dense map of a text that was split grows with the square of the text's length.
MAX_MAP_WEIGHTS = 2**25


Finish = Callable[[TargetText, EngineHypothesis], TargetText]
"""Makes the text that a caller gets of a text that the model wrote."""


class ResultBuilder:
    """Builds the result of one input, or of one segment of a text.

    Args:
        source: a segment's, as its text has it; None for what the model reads.
        finish: a segment's; None where the text stays as the model wrote it.
        is_checked: whether the result says what may be wrong with the output.

    Attributes:
        source: the input as the model read it.
    """

    def __init__(
        self,
        model: LoadedModel,
        parts: Parts,
        options: AttentionOptions,
        generation: Generation,
        *,
        source: Source | None = None,
        finish: Finish | None = None,
        is_checked: bool = False,
    ) -> None:
        self._model = model
        self._parts = parts
        self._length_penalty = generation.length_penalty if generation.num_beams > 1 else 0.0
        self._has_words = options.granularity == "word" and bool(options.kinds)
        self._map_builder = MapBuilder(options, model.manifest.attention)
        self._has_maps = bool(options.kinds)
        self._finish = finish
        self._is_checked = is_checked
        self.source = source or source_of(parts, has_words=self._has_words)

    def result(self, results: Sequence[EngineResult]) -> Result:
        """Builds the result from one engine result per part. A text that was split takes the best hypothesis of each.

        Raises:
            InvalidInput: a map is too large.
        """
        best = [tuple(result.hypotheses[0] for result in results)]
        candidates = best if len(results) > 1 else [(hypothesis,) for hypothesis in results[0].hypotheses]
        hypotheses = tuple(self.hypothesis(each) for each in candidates)
        return Result(
            hypotheses=hypotheses,
            source=self.source,
            timings=timings_of(results),
            model=self._model.name,
            version=self._model.manifest.version,
            num_parts=len(results),
            maps=self.source_maps(best[0]),
            warnings=tuple(self._warnings(hypotheses[0].text, best[0])) if self._is_checked else (),
            novelty=max((each.novelty for each in results if each.novelty is not None), default=None),
        )

    def _warnings(self, target: str, decoded: Sequence[EngineHypothesis]) -> Iterator[OutputWarning]:
        """Yields what may be wrong with an output, each thing once. Args: decoded: of each part."""
        found: dict[WarningReason, str] = {}
        for part, each in zip(self._parts, decoded, strict=True):
            if not isinstance(part, SourceText):
                continue
            is_cut = each.finish_reason == "length"
            faults = output_faults(part.text, target, each.tokens, partial(_ids, part), is_cut=is_cut, ratios=None)
            found |= {fault.reason: fault.message for fault in faults}
            if part.num_truncated:
                found["source_truncated"] = f"the last {part.num_truncated} tokens of the text were dropped"
        yield from (OutputWarning(reason, message) for reason, message in found.items())

    def events(self, cross_norms: Float32Array | None) -> EventBuilder:
        """Returns the builder of the stream's events.

        Args:
            cross_norms: float32 [layers, heads, source], of the transformed values; None with the weighting
                "attention".
        """
        return EventBuilder(self._model.writer.stream(copy_source(self._parts[0])), self._map_builder, cross_norms)

    def hypothesis(self, decoded: Sequence[EngineHypothesis]) -> Hypothesis:
        """Builds a hypothesis. Args: decoded: one hypothesis of each part."""
        written = [
            self._model.writer.write(each.tokens, each.logprobs, copy_source(part))
            for each, part in zip(decoded, self._parts, strict=True)
        ]
        joined = join_texts(written, [part.array.shape[-1] for part in self._parts])
        if self._finish is not None:
            joined = self._finish(joined, decoded[0])
        has_ended = all(each.finish_reason == "end" for each in decoded)
        finish_reason: FinishReason = "end" if has_ended else "length"
        shares = _source_shares(decoded)
        plain = Hypothesis(joined.text, joined.tokens, self._score(decoded), finish_reason, source_share=shares)
        return self._with_maps(plain, decoded) if self._has_maps else plain

    def _score(self, decoded: Sequence[EngineHypothesis]) -> float:
        """Returns the log-probabilities' sum over all parts, divided by the search's length penalty."""
        if len(decoded) == 1:
            return decoded[0].score
        penalties = [float(len(each.tokens) ** self._length_penalty) for each in decoded]
        total = sum(each.score * penalty for each, penalty in zip(decoded, penalties, strict=True))
        return total / float(sum(len(each.tokens) for each in decoded) ** self._length_penalty)

    def _with_maps(self, plain: Hypothesis, decoded: Sequence[EngineHypothesis]) -> Hypothesis:
        """Adds the maps of the target, and the measures of the alignment if it is among them."""
        words = words_of(plain.text, plain.tokens) if self._has_words else ()
        kept = [(each.cross_attention, each.trace) for each in decoded if each.cross_attention is not None]
        by_part = zip(*(self._map_builder.of_target(cross, trace) for cross, trace in kept), strict=True)
        maps = tuple(self._by_granularity(_joined(parts), words) for parts in by_part)
        alignment = next((m.values for m in maps if m.kind == "alignment"), None)
        if alignment is None:
            return replace(plain, words=words, maps=maps)
        target_special = [unit.is_special for unit in (words or plain.tokens)]
        # A translation says what its source says; a summary or a caption leaves most of it out.
        find_links = symmetric_links if self._model.manifest.task == "translation" else hard_links
        return replace(
            plain,
            words=words,
            maps=maps,
            links=tuple(Link(s, t) for s, t in find_links(alignment, special_units(self.source), target_special)),
            entropy=tuple(entropy(alignment).tolist()),
            coverage=tuple(coverage(alignment).tolist()),
            source_coverage=tuple(source_coverage(alignment).tolist()),
        )

    def source_maps(self, decoded: Sequence[EngineHypothesis]) -> tuple[AttentionMap, ...]:
        """Builds the maps of the source alone. Args: decoded: one hypothesis of each part."""
        if not self._has_maps:
            return ()
        by_part = zip(*(self._map_builder.of_source(each.trace) for each in decoded), strict=True)
        return tuple(self._by_granularity(_joined(parts), ()) for parts in by_part)

    def _by_granularity(self, tokens: AttentionMap, words: Sequence[Word]) -> AttentionMap:
        if not self._has_words:
            return tokens
        return map_between_words(tokens, words, None if self.source.image_grid is not None else self.source.words)


def _ids(part: SourceText) -> Int64Array:
    return part.ids


def _source_shares(decoded: Sequence[EngineHypothesis]) -> tuple[float, ...]:
    """Returns the share of each token that comes from the source; none unless all contributions were computed."""
    traces = [each.trace for each in decoded if each.trace is not None and each.trace.has_contributions]
    return tuple(share for trace in traces for share in source_share(trace).tolist())


def timings_of(results: Sequence[EngineResult]) -> Timings:
    """Returns the longest time of any part in each phase."""
    if not results:
        return Timings(0.0, 0.0, 0.0)
    phases = zip(*[(result.queue_s, result.encode_s, result.decode_s) for result in results], strict=True)
    return Timings(*[1000 * max(times) for times in phases])


def _joined(parts: Sequence[AttentionMap]) -> AttentionMap:
    """Joins the maps of consecutive parts, all of one kind."""
    if len(parts) == 1:
        return parts[0]
    size = math.prod(np.sum([part.values.shape[-2:] for part in parts], axis=0).tolist())
    size *= math.prod(parts[0].values.shape[:-2])
    if size > MAX_MAP_WEIGHTS:
        raise InvalidInput.of("attention.kinds", f"{parts[0].kind}: {size} weights; the limit is {MAX_MAP_WEIGHTS}")
    return replace(parts[0], values=block_diagonal([part.values for part in parts]))
