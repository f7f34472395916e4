"""How sure a model's outputs are, as its export learned it from dev examples."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from regard_service.bundle.schema import Count, Schema

Feature = Literal[
    "surprise", "worst", "second", "first", "end", "short", "long", "repeated", "copied", "pieces", "novelty",
    "uncovered",
]  # fmt: skip


class WordCalibration(Schema):
    """From the log-probability of a word to the probability that it is right, linear between the points.

    A word is right if the reference translation of its sentence has it. The map was fitted by isotonic regression.

    Attributes:
        logprobs: sums of the tokens' log-probabilities, ascending.
        probabilities: of each of them, ascending.
        expected_calibration_error: on dev examples that the fit did not read, in 10 bins of equally many words.
        num_words: of these examples.
    """

    logprobs: tuple[float, ...] = Field(min_length=1)
    probabilities: tuple[float, ...] = Field(min_length=1)
    expected_calibration_error: float = Field(ge=0, le=1)
    num_words: Count

    @model_validator(mode="after")
    def _ascend(self) -> "WordCalibration":
        if len(self.logprobs) != len(self.probabilities):
            raise ValueError("there are as many logprobs as probabilities")
        for values in (self.logprobs, self.probabilities):
            if any(later < earlier for earlier, later in pairwise(values)):
                raise ValueError("logprobs and probabilities ascend")
        return self


class RiskModel(Schema):
    """A logistic regression that tells outputs for corrupted sources from outputs for clean ones.

    Attributes:
        usual_length: the usual logarithm of the ratio of an output's tokens to its source's.
        weights: by feature, see `regard_service.confidence.features`.
        threshold: the risk score from which the risk is high: `false_alarm_rate` of clean dev examples reach it.
        limits: values that few clean examples exceed; a feature beyond its limit is a reason.
        auroc: on examples that the fit did not read: the probability that a corrupted one scores above a clean one.
        num_examples: clean ones of these.
    """

    usual_length: float
    intercept: float
    weights: dict[Feature, float]
    threshold: float = Field(ge=0, le=1)
    limits: dict[Feature, float]
    false_alarm_rate: float = Field(ge=0, le=1)
    auroc: float = Field(ge=0, le=1)
    num_examples: Count


class Confidence(Schema):
    """What the export learned for one target language.

    Attributes:
        outputs: of what the model writes.
        pairs: of given pairs; None if the model cannot score them.
    """

    words: WordCalibration
    outputs: RiskModel
    pairs: RiskModel | None = None
