"""The risk of a result."""

from dataclasses import replace

import pytest

from regard_service.bundle import Confidence, RiskModel, WordCalibration
from regard_service.confidence.assessing import assessed, with_word_confidences
from regard_service.domain.results import (
    Hypothesis,
    OutputWarning,
    Result,
    Segment,
    Source,
    Span,
    Timings,
    Token,
)

WORDS = WordCalibration(logprobs=(-2.0, 0.0), probabilities=(0.2, 0.8), expected_calibration_error=0.01, num_words=100)
RISK = RiskModel(
    usual_length=0.0,
    intercept=-4.0,
    weights={"surprise": 4.0},
    threshold=0.5,
    limits={"surprise": 1.5, "uncovered": 0.7},
    false_alarm_rate=0.05,
    auroc=0.9,
    num_examples=10,
)
CONFIDENCE = Confidence(words=WORDS, outputs=RISK)


def _tokens(*logprobs: float) -> tuple[Token, ...]:
    return tuple(Token(i, f"t{i}", Span(2 * i, 2 * i + 1), logprob=value) for i, value in enumerate(logprobs))


def _result(*logprobs: float, **given: object) -> Result:
    hypothesis = Hypothesis("a b c d e f", _tokens(*logprobs), sum(logprobs), "end")
    source = Source(_tokens(*[0.0] * len(logprobs)))
    return replace(Result((hypothesis,), source, Timings(0, 0, 0), "m", "1"), **given)  # type: ignore[arg-type]  # fields


def test_likely_outputs_are_low_and_unlikely_ones_high() -> None:
    low, high = (assessed(_result(x, x), CONFIDENCE) for x in (-0.1, -3.0))
    assert (low.risk, low.risk_reasons) == ("low", ())
    assert high.risk == "high"
    assert [reason.kind for reason in high.risk_reasons] == ["unlikely"]
    assert high.risk_score > 0.5 > low.risk_score


def test_without_a_calibration_only_warnings_speak() -> None:
    assert assessed(_result(-9.0), None).risk is None
    warned = assessed(_result(-9.0, warnings=(OutputWarning("repetition", "loops", 0),)), None)
    assert warned.risk == "high"
    assert [(reason.kind, reason.message) for reason in warned.risk_reasons] == [("looping", "loops")]


def test_given_targets_have_thresholds_of_their_own() -> None:
    strict = CONFIDENCE.model_copy(update={"pairs": RISK.model_copy(update={"threshold": 0.01})})
    assert assessed(_result(-0.1), strict).risk == "low"
    assert assessed(_result(-0.1), strict, is_given=True).risk == "high"
    assert assessed(_result(-0.1), CONFIDENCE, is_given=True).risk is None  # was not learned


def test_the_segment_with_the_reason_is_named() -> None:
    def segment(first: int, last: int, *, is_copied: bool = False) -> Segment:
        return Segment(Span(0, 1), Span(0, 1), Span(first, last), Span(first, last), is_copied)

    segments = segment(0, 2), segment(2, 2, is_copied=True), segment(2, 4)
    found = assessed(_result(-0.1, -0.1, -4.0, -4.0, segments=segments), CONFIDENCE)
    assert [reason.segment for reason in found.risk_reasons] == [2]


def test_an_output_that_comes_from_no_source_is_high() -> None:
    result = _result(-0.1, -0.1)
    free = replace(result, hypotheses=(replace(result.hypotheses[0], source_share=(0.1, 0.2)),))
    found = assessed(free, CONFIDENCE)
    assert found.risk == "high"
    assert [reason.kind for reason in found.risk_reasons] == ["source_not_covered"]


def test_words_have_the_calibrated_probability_of_their_tokens() -> None:
    rated = with_word_confidences(_result(-1.0, 0.0, -9.0), CONFIDENCE)
    probabilities = [word.probability for word in rated.hypotheses[0].word_confidences]
    assert probabilities == pytest.approx([0.5, 0.8, 0.2])


def test_an_unfamiliar_source_has_a_high_risk() -> None:
    risk = RISK.model_copy(
        update={"weights": {"surprise": 0.0, "novelty": 4.0}, "limits": {"surprise": 9.0, "novelty": 0.5}}
    )
    confidence = Confidence(words=WORDS, outputs=risk)
    assert assessed(_result(-0.5, novelty=0.0), confidence).risk == "low"
    found = assessed(_result(-0.5, novelty=2.0), confidence)
    assert found.risk == "high"
    assert [reason.kind for reason in found.risk_reasons] == ["source_unfamiliar"]


def test_a_segment_has_its_own_novelty() -> None:
    risk = RISK.model_copy(update={"weights": {"novelty": 4.0}, "limits": {"novelty": 0.5}})
    spans = [Span(0, 1), Span(1, 2)]
    segments = tuple(
        Segment(span, span, span, span, novelty=novelty) for span, novelty in zip(spans, (0.0, 2.0), strict=True)
    )
    found = assessed(_result(-0.5, -0.5, segments=segments), Confidence(words=WORDS, outputs=risk))
    assert [reason.segment for reason in found.risk_reasons] == [1]
