"""What a task of the quality benchmark is: inputs that go through the server, and a score for what comes back."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from regard import AsyncClient, Model, Result

# Sends one input and returns its result; the int is the number of beams.
Call = Callable[[AsyncClient, int], Awaitable[Result]]

# From outputs, in the order of the inputs, to figures by the names of `metrics.METRICS`.
Scorer = Callable[[Sequence[str]], dict[str, float]]


class LeftOut(Exception):
    """What cannot be measured, and why: a data set or a model is not there."""


@dataclass(frozen=True)
class Part:
    """Inputs that are scored together.

    Attributes:
        split: part of the data set, such as "dev".
        variant: target language or style; "" where there is but one.
        calls: one an input.
    """

    split: str
    variant: str
    calls: Sequence[Call]
    score: Scorer


class Task(ABC):
    """A data set, and the models that are measured on it.

    Attributes:
        name: as `--tasks` and the results have it.
        title: heading of its table.
        models: names of the models that were made for it.
        num_beams: as the figures that it is compared with were made.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    models: ClassVar[tuple[str, ...]]
    num_beams: ClassVar[int]

    @abstractmethod
    def parts(self, data: Path, model: Model, limit: int | None) -> Iterator[Part]:
        """Yields what the model can be measured on.

        Args:
            data: the folder that holds the folders of all data sets.
            limit: most inputs a part; None is no limit.

        Raises:
            LeftOut: the data set is not there.
        """
