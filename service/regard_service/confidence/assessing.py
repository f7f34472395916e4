"""The risk of a result: low or high, with the reasons."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from regard_service.bundle import Confidence, Feature, RiskModel
from regard_service.confidence.features import features, score_of
from regard_service.confidence.words import word_confidences
from regard_service.domain.results import Hypothesis, Result, Risk, RiskKind, RiskReason, Segment, Span, WarningReason

# What a feature beyond its limit means.
_KINDS: Mapping[Feature, RiskKind] = {
    "surprise": "unlikely",
    "worst": "unlikely",
    "second": "unlikely",
    "first": "unlikely",
    "end": "unlikely",
    "short": "too_short",
    "long": "too_long",
    "repeated": "looping",
    "copied": "copied",
    "pieces": "source_unfamiliar",
    "novelty": "source_unfamiliar",
    "uncovered": "source_not_covered",
}
_MESSAGES: Mapping[RiskKind, str] = {
    "unlikely": "the model gave its own words less probability than usual",
    "too_short": "the output is shorter than usual for its source",
    "too_long": "the output is longer than usual for its source",
    "looping": "the output repeats itself",
    "copied": "the output has words of its source",
    "source_unfamiliar": "the source is not like those that the model knows",
    "source_not_covered": "little of the output comes from the source",
}
# Warnings that make the risk high, whether or not the model's bundle has thresholds.
_OF_WARNINGS: Mapping[WarningReason, RiskKind] = {
    "repetition": "looping",
    "source_copied": "copied",
    "output_empty": "too_short",
    "output_short": "too_short",
    "output_long": "too_long",
}


def assessed(result: Result, confidence: Confidence | None, *, is_given: bool = False) -> Result:
    """Returns a result with the risk of its best hypothesis.

    Args:
        confidence: of the target language; None leaves the risk open, unless warnings make it high.
        is_given: whether the target was given, and not written by the model.
    """
    reasons = list(_of_warnings(result))
    risk: Risk | None = "high" if reasons else None
    model = None if confidence is None else confidence.pairs if is_given else confidence.outputs
    if model is None:
        return replace(result, risk=risk, risk_reasons=tuple(reasons)) if reasons else result
    highest = 0.0
    for number, segment in _segments(result):
        score, found = _assess(result, segment, model)
        highest = max(highest, score)
        if found:
            risk = "high"
            known = {(reason.kind, reason.segment) for reason in reasons}
            reasons += [RiskReason(kind, _MESSAGES[kind], number) for kind in found if (kind, number) not in known]
    return replace(result, risk=risk or "low", risk_score=highest, risk_reasons=tuple(reasons))


def with_word_confidences(result: Result, confidence: Confidence) -> Result:
    """Returns a result with the probabilities of every hypothesis' words."""

    def rated(hypothesis: Hypothesis) -> Hypothesis:
        words = word_confidences(hypothesis.text, hypothesis.tokens, confidence.words)
        return replace(hypothesis, word_confidences=words)

    return replace(result, hypotheses=tuple(map(rated, result.hypotheses)))


def _of_warnings(result: Result) -> Iterator[RiskReason]:
    for warning in result.warnings:
        kind = _OF_WARNINGS.get(warning.reason)
        if kind is not None:
            yield RiskReason(kind, warning.message, warning.segment)


def _segments(result: Result) -> Iterator[tuple[int | None, Segment]]:
    """Yields the segments that the model read; the whole text if it has none. Sources of pictures have no tokens."""
    if not result.segments:
        tokens = result.hypotheses[0].tokens
        whole = Span(0, 0)
        read, made = Span(0, len(result.source.tokens)), Span(0, len(tokens))
        yield None, Segment(whole, whole, read, made, novelty=result.novelty)
    for number, segment in enumerate(result.segments):
        if not segment.is_copied:
            yield number, segment


def _assess(result: Result, segment: Segment, model: RiskModel) -> tuple[float, Sequence[RiskKind]]:
    """Returns a segment's risk score, and the reasons if its risk is high."""
    hypothesis = result.hypotheses[0]
    made = hypothesis.tokens[slice(*segment.target_tokens)]
    read = result.source.tokens[slice(*segment.source_tokens)]
    found = features(read, made, model.usual_length, segment.novelty)
    score = score_of(found, model.weights, model.intercept)
    shares = hypothesis.source_share[slice(*segment.target_tokens)]
    if shares:
        found["uncovered"] = 1 - sum(shares) / len(shares)
    is_uncovered = found.get("uncovered", 0.0) > model.limits.get("uncovered", 1.0)
    if score < model.threshold and not is_uncovered:
        return score, ()
    beyond = [name for name, limit in model.limits.items() if found.get(name, 0.0) > limit]
    return score, tuple(dict.fromkeys(_KINDS[name] for name in beyond or [_largest(found, model)]))


def _largest(found: Mapping[Feature, float], model: RiskModel) -> Feature:
    """The feature that raises the score most, where none is beyond its limit."""
    return max(model.weights, key=lambda name: model.weights[name] * found.get(name, 0.0))
