"""What the engine tells the outside while it works; metrics implement it."""

from regard_service.engine.core.ticket import Phase


class EngineObserver:
    """Does nothing; override what you want to know. Called from the workers' threads: be quick."""

    def queued(self, model: str, num_waiting: int) -> None:
        """The model's queue now has this many requests."""

    def admitted(self, model: str, queue_s: float, num_source_tokens: int) -> None:
        """A request left the queue for a slot."""

    def encoded(self, model: str, num_requests: int, seconds: float) -> None:
        """A group of requests was encoded in one call."""

    def stepped(self, model: str, num_slots: int, seconds: float) -> None:
        """One step over this many live slots; `seconds` covers graph and search."""

    def first_token(self, model: str, seconds: float) -> None:
        """A request has its first token, this long after it was submitted."""

    def live(self, model: str, num_slots: int) -> None:
        """The model now holds this many slots, over all its running batches."""

    def finished(self, model: str, outcome: str, num_tokens: int, phase: Phase) -> None:
        """A request left: outcome is "done", "cancelled", "deadline" or "failed"; phase is how far it had come."""
