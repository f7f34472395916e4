"""What a server needs of the other processes of its group, if it is in one."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from prometheus_client import CollectorRegistry

from regard_service.observability.metrics import Metrics
from regard_service.repository.administration import ModelAdministration


class Membership(Protocol):
    """A server's place in a group of processes, which share their ports."""

    async def metrics(self) -> CollectorRegistry:
        """The metrics of all processes."""

    def join(self, models: ModelAdministration, metrics: Metrics, on_change: Callable[[], None]) -> ModelAdministration:
        """Takes part in the changes of the group's models.

        Args:
            models: of this process.
            metrics: of this process.
            on_change: called after another process' call has changed the models of this one.

        Returns:
            the administration of all processes' models.
        """

    def served(self) -> Awaitable[None]:
        """Tells the group that this process serves."""

    def is_stuck(self) -> None:
        """Tells the group that this process' engine is stuck."""
