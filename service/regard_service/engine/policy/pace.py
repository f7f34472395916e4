"""How fast a lane goes, by what it has just done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from regard_service.generation import Generation

# What a step costs beside its slots, in slots; of the shipped translator, within a factor of two of larger models.
OVERHEAD_SLOTS = 2

# Of a new observation in the running average: the last twenty count for two thirds.
WEIGHT = 0.05

# How far an observation moves a quantile, at most, as a part of its value.
QUANTILE_WEIGHT = 0.1

# A single observation, of a process that stood still or a core that others had, does not count as more than this.
MAX_FACTOR = 5.0


class Average:
    """A running average; None before anything was observed."""

    def __init__(self, start: float | None = None) -> None:
        self.value: float | None = start

    def add(self, observed: float) -> None:
        """Takes in one observation."""
        if self.value is None:
            self.value = observed
        else:
            self.value += WEIGHT * (min(observed, MAX_FACTOR * self.value) - self.value)


class Quantile:
    """A running quantile: of what was observed of late, a part of `level` was smaller.

    Each observation moves it by a part of itself, up by much or down by little, so that the two cancel where it is
    right (Robbins and Monro 1951, "A Stochastic Approximation Method"). It stays between `least` and `most`.
    """

    def __init__(self, level: float, start: float, least: float, most: float) -> None:
        self.value = start
        self._level, self._least, self._most = level, least, most

    def add(self, observed: float) -> None:
        """Takes in one observation."""
        is_above = observed > self.value
        moved = self.value * (1 + QUANTILE_WEIGHT * (self._level - (not is_above)))
        self.value = min(max(moved, self._least), self._most)


class Pace:
    """Running averages of a lane's work. Workers add to it as they work: where two do at once, one may not count.

    Args:
        like: another lane of the same model, whose averages it starts with; its steps are counted anew, since they
            depend on how long texts are.
    """

    def __init__(self, like: "Pace | None" = None) -> None:
        self._slot_s: Average = Average(None if like is None else like._slot_s.value)
        self._source_token_s: Average = Average(None if like is None else like._source_token_s.value)
        self._turn_s = Average()
        self._num_source = Average()
        self._num_steps = Average()

    @property
    def is_known(self) -> bool:
        """Whether there is anything to go by."""
        return self._slot_s.value is not None

    @contextmanager
    def encoding(self, num_requests: int, num_source: int) -> Iterator[None]:
        """Surrounds the encoding of so many requests with so many source positions in all."""
        begin = time.monotonic()
        yield
        self._source_token_s.add((time.monotonic() - begin) / num_source)
        self._num_source.add(num_source / num_requests)

    def stepped(self, num_slots: int, num_steps: int, seconds: float) -> None:
        """So many steps over so many slots took so long together."""
        if num_slots and num_steps:
            self._slot_s.add(seconds / num_steps / (num_slots + OVERHEAD_SLOTS))

    def had_turn(self, seconds: float) -> None:
        """A worker was at one of the lane's batches for so long."""
        self._turn_s.add(seconds)

    def finished(self, num_steps: int) -> None:
        """A request came to its end by itself."""
        self._num_steps.add(num_steps)

    def num_steps(self, generation: Generation, source_length: float) -> float:
        """How many steps a request is expected to take; before one has ended, as many as its source has positions."""
        usual = source_length if self._num_steps.value is None else self._num_steps.value
        return max(generation.min_new_tokens, min(usual, generation.max_new_tokens))

    @property
    def slot_s(self) -> float:
        """What a slot costs a step; 0 before anything is known."""
        return self._slot_s.value or 0.0

    def step_s(self, num_slots: float) -> float:
        """How long a step over so many slots takes."""
        return self.slot_s * (num_slots + OVERHEAD_SLOTS)

    def encode_s(self, num_source: float) -> float:
        """How long encoding so many source positions takes."""
        return (self._source_token_s.value or 0.0) * num_source

    @property
    def turn_s(self) -> float:
        """How long a worker is at a batch, as a rule; 0 if none was."""
        return self._turn_s.value or 0.0

    @property
    def usual_source(self) -> float:
        """How many source positions a request has."""
        return self._num_source.value or 0.0

    @property
    def usual_encode_s(self) -> float:
        """How long encoding a request takes."""
        return self.encode_s(self.usual_source)

    def usual_steps(self, otherwise: float) -> float:
        """How many steps a request takes."""
        return otherwise if self._num_steps.value is None else self._num_steps.value
