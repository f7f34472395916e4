"""The interface of a quality task: inputs for the server and a score of its outputs."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from regard import AsyncClient, Model, Result

# Sends one input with a number of beams and returns its result.
Call = Callable[[AsyncClient, int], Awaitable[Result]]

# Maps outputs, in the order of the inputs, to figures by the names of `metrics.METRICS`.
Scorer = Callable[[Sequence[str]], dict[str, float]]


class LeftOut(Exception):
    """A data set or a model is missing."""


@dataclass(frozen=True)
class Part:
    """Inputs that are scored together.

    Attributes:
        split: part of the data set, such as "dev".
        variant: target language or style; "" if there is only one.
        calls: one call per input.
    """

    split: str
    variant: str
    calls: Sequence[Call]
    score: Scorer


class Task(ABC):
    """A data set and its models.

    Attributes:
        name: its name for `--tasks` and in result files.
        title: heading of its table.
        models: names of the models that were trained for it.
        num_beams: number of beams of the published figures.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    models: ClassVar[tuple[str, ...]]
    num_beams: ClassVar[int]

    @abstractmethod
    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        """Yields the parts that the model can be measured on.

        Args:
            data: parent folder of all data sets.
            limit: maximum number of inputs per part; None is unlimited.

        Raises:
            LeftOut: the data set is missing.
        """
