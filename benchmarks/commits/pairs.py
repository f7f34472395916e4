"""Samples of two commits in turns: before, after, after, before, and so on, so that drift touches both alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol

from benchmarks.harness.process import resumed, suspended

PAUSE_S = 0.2  # until threads that spin after their work have stopped

# After these pairs both start anew: how a process lies in memory makes it faster or slower as long as it lives.
PAIRS_A_START = 5

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


Samples = tuple[Sample, ...]


def sample_pairs(
    open_subjects: Callable[[], AbstractContextManager[list[Subject]]], num_pairs: int, stage: Stage
) -> tuple[Samples, Samples]:
    """Samples two commits as often.

    Args:
        open_subjects: starts the subject of the commit before and that of the commit after.

    Returns:
        The samples of the commit before and of the commit after; those at one place are a pair.
    """
    pairs: list[tuple[Sample, Sample]] = []
    while len(pairs) < num_pairs:
        numbers = range(len(pairs), min(len(pairs) + PAIRS_A_START, num_pairs))
        with open_subjects() as (before, after):
            for number, pair in zip(numbers, _in_turns((before, after), numbers), strict=True):
                stage(f"pair {number + 1} of {num_pairs}")
                pairs.append(pair)
    first, second = zip(*pairs, strict=True)
    return first, second


def _in_turns(subjects: tuple[Subject, Subject], numbers: Sequence[int]) -> Iterator[tuple[Sample, Sample]]:
    """Yields a pair of samples a number, after a sample of each that does not count.

    Only one runs at a time: the other is suspended.
    """
    with ExitStack() as stack:
        for each in subjects:
            stack.enter_context(suspended(each.pid))
        for each in subjects:
            _sample_alone(each)
        for number in numbers:
            samples = {index: _sample_alone(subjects[index]) for index in order_of(number)}
            yield samples[0], samples[1]


def order_of(number: int) -> Sequence[int]:
    """Who goes first in a pair: 0 in even ones, 1 in odd ones."""
    return (0, 1) if number % 2 == 0 else (1, 0)


def _sample_alone(subject: Subject) -> Sample:
    with resumed(subject.pid):
        sample = subject.sample()
        time.sleep(PAUSE_S)
    return sample
