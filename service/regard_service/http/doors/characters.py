"""Counts the characters that callers send to doors, for APIs that tell a caller how many."""

from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry

from regard_service.auth.caller import current_caller
from regard_service.observability.metrics import DoorMetrics


class Characters:
    """The characters of each caller, since the server started.

    Args:
        metrics: counts them; by caller only where a tokens file bounds how many callers there are.
        registry: returns the metrics of all processes of the server.
    """

    def __init__(
        self,
        metrics: DoorMetrics,
        registry: Callable[[], Awaitable[CollectorRegistry]],
        *,
        knows_callers: bool,
    ) -> None:
        self._metrics = metrics
        self._registry = registry
        self._knows_callers = knows_callers

    def count(self, door: str, number: int) -> None:
        """Adds characters of the current call."""
        self._metrics.count_characters(door, self._caller(), number)

    async def used(self, door: str) -> int:
        """Returns how many the caller of the current call has sent."""
        return self._metrics.characters(await self._registry(), door, self._caller())

    def _caller(self) -> str:
        return current_caller() if self._knows_callers else ""
