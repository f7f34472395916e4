"""How fast a lane goes: running averages of its recent work."""

from regard_service.generation import Generation

# A step's fixed cost, in slots: that of the shipped translator, within a factor of two of larger models.
STEP_OVERHEAD_SLOTS = 2

# The weight of a new observation in the running average: the last twenty count for two thirds.
NEW_WEIGHT = 0.05

# The farthest that one observation moves a quantile, as a fraction of its value.
QUANTILE_STEP = 0.1

# A single observation counts as at most this many times the average: the process may have stood still.
MAX_OUTLIER_FACTOR = 5.0


class Average:
    """A running average; None before anything was observed."""

    def __init__(self, start: float | None = None) -> None:
        self.value: float | None = start

    def add(self, observed: float) -> None:
        """Takes in one observation."""
        if self.value is None:
            self.value = observed
        else:
            self.value += NEW_WEIGHT * (min(observed, MAX_OUTLIER_FACTOR * self.value) - self.value)


class Quantile:
    """A running quantile: a fraction `level` of the recent observations was smaller.

    Each observation moves it by a fraction of itself, up by much or down by little, so that the two cancel at the right
    value (Robbins and Monro 1951, "A Stochastic Approximation Method"). It stays between `least` and `most`.
    """

    def __init__(self, level: float, start: float, least: float, most: float) -> None:
        self.value = start
        self._level, self._least, self._most = level, least, most

    def add(self, observed: float) -> None:
        """Takes in one observation."""
        is_above = observed > self.value
        moved = self.value * (1 + QUANTILE_STEP * (self._level - (not is_above)))
        self.value = min(max(moved, self._least), self._most)


class Pace:
    """Running averages of a lane's work. Workers add to it without a lock: of two additions at a time one may be lost.

    Args:
        like: the pace of another lane of the same model, whose costs it starts with; the number of steps depends on the
            length of texts and starts anew.
    """

    def __init__(self, like: "Pace | None" = None) -> None:
        self._slot_s: Average = Average(None if like is None else like._slot_s.value)
        self._source_token_s: Average = Average(None if like is None else like._source_token_s.value)
        self._visit_s = Average()
        self._num_source = Average()
        self._num_steps = Average()

    @property
    def is_known(self) -> bool:
        """Whether the lane has stepped."""
        return self._slot_s.value is not None

    def encoded(self, num_requests: int, num_source: int, seconds: float) -> None:
        """One call encoded this many requests, with this many source positions in all."""
        self._source_token_s.add(seconds / num_source)
        self._num_source.add(num_source / num_requests)

    def stepped(self, num_slots: int, num_steps: int, seconds: float) -> None:
        """This many steps over this many slots took this long together."""
        if num_slots and num_steps:
            self._slot_s.add(seconds / num_steps / (num_slots + STEP_OVERHEAD_SLOTS))

    def visited(self, seconds: float) -> None:
        """A worker held one of the lane's batches for this long."""
        self._visit_s.add(seconds)

    def finished(self, num_steps: int) -> None:
        """A request has its result, after this many steps."""
        self._num_steps.add(num_steps)

    def num_steps(self, generation: Generation, source_length: float) -> float:
        """Expected steps of a request; before one has ended, as many as its source has positions."""
        usual = source_length if self._num_steps.value is None else self._num_steps.value
        return max(generation.min_new_tokens, min(usual, generation.max_new_tokens))

    @property
    def slot_s(self) -> float:
        """Cost of a slot in a step; 0 before anything is known."""
        return self._slot_s.value or 0.0

    def step_s(self, num_slots: float) -> float:
        """Expected duration of a step over this many slots."""
        return self.slot_s * (num_slots + STEP_OVERHEAD_SLOTS)

    def encode_s(self, num_source: float) -> float:
        """Expected duration of encoding this many source positions."""
        return (self._source_token_s.value or 0.0) * num_source

    @property
    def visit_s(self) -> float:
        """How long a worker usually holds a batch; 0 before anything is known."""
        return self._visit_s.value or 0.0

    @property
    def usual_source(self) -> float:
        """Source positions of a usual request."""
        return self._num_source.value or 0.0

    @property
    def usual_encode_s(self) -> float:
        """Expected duration of encoding a usual request."""
        return self.encode_s(self.usual_source)

    def usual_steps(self, otherwise: float) -> float:
        """Steps of a usual request; `otherwise` before one has ended."""
        return otherwise if self._num_steps.value is None else self._num_steps.value
