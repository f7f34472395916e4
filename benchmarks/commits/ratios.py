"""The ratio of two costs measured in pairs, with its 95 % confidence interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """A mean ratio.

    Attributes:
        mean: the geometric mean of the pairs' ratios.
        low, high: ends of its confidence interval.
    """

    mean: float
    low: float
    high: float


def paired_ratio(before: Sequence[float], after: Sequence[float]) -> Ratio:
    """The mean of after / before, with Student's t interval of the mean of log(after / before).

    Interference that slows a whole pair cancels out. Logarithms weigh a doubling as much as a halving.

    Args:
        before, after: positive values of equal length, at least two; equal indices are a pair.

    Raises:
        ValueError: the lengths differ, are below two, or a value is not positive.
    """
    if len(before) != len(after) or len(before) < 2:
        raise ValueError(f"needs two or more pairs, got {len(before)} and {len(after)} values")
    if min(*before, *after) <= 0:
        raise ValueError("needs positive values")
    logs = [math.log(second / first) for first, second in zip(before, after, strict=True)]
    middle = fmean(logs)
    margin = student_quantile((1 + CONFIDENCE) / 2, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(middle), math.exp(middle - margin), math.exp(middle + margin))


def student_quantile(probability: float, num_degrees: int) -> float:
    """Quantile of Student's t distribution (Abramowitz and Stegun 1964, 26.7.5).

    At 0.975 it is exact to 0.2 % from three degrees of freedom on, 1 % too low with two and 11 % too low with one.
    """
    z, n = NormalDist().inv_cdf(probability), num_degrees
    terms = (
        z,
        (z**3 + z) / (4 * n),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3),
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4),
    )
    return math.fsum(terms)
