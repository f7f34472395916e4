"""Samples of two commits in turns: before, after, after, before, and so on, so that drift touches both alike."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from benchmarks.process import resumed, suspended

PAUSE_S = 0.2  # until threads that spin after their work have stopped

Stage = Callable[[str], None]


@dataclass(frozen=True)
class Sample:
    """What one measurement of one commit gave.

    Attributes:
        cpu_s: processor time of its processes, user and system.
        seconds: wall time.
        amount: of work done, such as calls or tokens.
    """

    cpu_s: float
    seconds: float
    amount: int


class Subject(Protocol):
    """A running server or engine of one commit."""

    @property
    def pid(self) -> int: ...

    def sample(self) -> Sample:
        """Loads it once."""


def sample_pairs(
    before: Subject, after: Subject, num_pairs: int, stage: Stage
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Samples both as often, after a sample of each that does not count.

    Only one runs at a time: the other is suspended.

    Returns:
        The samples of the one before and of the one after; those at one place are a pair.
    """
    subjects = (before, after)
    samples: tuple[list[Sample], list[Sample]] = ([], [])
    with ExitStack() as stack:
        for each in subjects:
            stack.enter_context(suspended(each.pid))
        for each in subjects:
            _sample_alone(each)
        for number in range(num_pairs):
            stage(f"pair {number + 1} of {num_pairs}")
            for index in order_of(number):
                samples[index].append(_sample_alone(subjects[index]))
    return tuple(samples[0]), tuple(samples[1])


def order_of(number: int) -> Sequence[int]:
    """Who goes first in a pair: 0 in even ones, 1 in odd ones."""
    return (0, 1) if number % 2 == 0 else (1, 0)


def _sample_alone(subject: Subject) -> Sample:
    with resumed(subject.pid):
        sample = subject.sample()
        time.sleep(PAUSE_S)
    return sample
