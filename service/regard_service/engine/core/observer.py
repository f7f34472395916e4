"""What the engine reports while it works; metrics implement it."""

from typing import Literal

from regard_service.engine.core.request import Phase

Outcome = Literal["done", "cancelled", "deadline", "failed"]


class EngineObserver:
    """Does nothing; subclasses override what they count. The workers' threads call it between steps: be quick."""

    def queued(self, model: str, num_waiting: int) -> None:
        """The model's queue now has this many requests."""

    def admitted(self, model: str, queue_s: float, num_source_tokens: int) -> None:
        """A request left the queue for a row."""

    def encoded(self, model: str, num_requests: int, seconds: float) -> None:
        """One call encoded this many requests."""

    def stepped(self, model: str, num_slots: int, seconds: float) -> None:
        """One step over this many live slots; `seconds` covers graph and search."""

    def first_token(self, model: str, seconds: float) -> None:
        """A request has its first token, this long after it was submitted."""

    def live(self, model: str, num_slots: int) -> None:
        """The model now holds this many slots, over all its running batches."""

    def finished(self, model: str, outcome: Outcome, num_tokens: int, phase: Phase) -> None:
        """A request left; `phase` is how far it had come."""
