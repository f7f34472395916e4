"""A measured value with its spread over repetitions."""

from collections.abc import Sequence
from statistics import median
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict


class Spread(BaseModel):
    """Median and range of a repeated measurement; `values` are in the order measured."""

    model_config = ConfigDict(frozen=True)

    median: float
    minimum: float
    maximum: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float], digits: int = 4) -> Self:
        """Summarizes one value or more, rounded to `digits`."""
        rounded = tuple(round(value, digits) for value in values)
        return cls(median=round(median(values), digits), minimum=min(rounded), maximum=max(rounded), values=rounded)

    def text(self, form: str = ".2f") -> str:
        """Formats median and range, such as "1.23 (1.20 to 1.31)"."""
        return f"{self.median:{form}} ({self.minimum:{form}} to {self.maximum:{form}})"


def percentile(values: Sequence[float], share: float) -> float:
    """The quantile at `share` (0 to 1), interpolated linearly."""
    return float(np.quantile(np.asarray(values), share))
