"""Samples two commits alternately (before, after, after, before), so that drift affects both equally."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Protocol

from benchmarks.harness.process import resumed, suspended

PAUSE_S = 0.2  # threads that spin after their work stop in this time

# Both restart after this number of pairs, since memory layout changes the speed of a process for its whole life.
PAIRS_A_START = 5

Stage = Callable[[str], None]


@dataclass(frozen=True)
class Sample:
    """One measurement of one commit.

    Attributes:
        cpu_s: processor time, user and system.
        seconds: wall time.
        amount: number of calls or tokens.
    """

    cpu_s: float
    seconds: float
    amount: int


class Subject(Protocol):
    """A running server or engine of one commit."""

    @property
    def pid(self) -> int:
        """The process to suspend, with its descendants."""

    def sample(self) -> Sample:
        """Runs the load once."""


Samples = tuple[Sample, ...]


def sample_pairs(
    open_subjects: Callable[[], AbstractContextManager[list[Subject]]], num_pairs: int, stage: Stage
) -> tuple[Samples, Samples]:
    """Takes `num_pairs` samples of each commit.

    Args:
        open_subjects: starts the subjects of the earlier and of the later commit.
        stage: reports progress.

    Returns:
        The samples of the earlier and of the later commit; equal indices are a pair.
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
    """Yields one pair of samples per number, after a warm-up sample of each subject.

    One subject runs at a time; the other is suspended.
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
    """Indices of the subjects in the order of a pair: (0, 1) in even pairs, (1, 0) in odd ones."""
    return (0, 1) if number % 2 == 0 else (1, 0)


def _sample_alone(subject: Subject) -> Sample:
    with resumed(subject.pid):
        sample = subject.sample()
        time.sleep(PAUSE_S)
    return sample
