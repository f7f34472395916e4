"""Bounds what is kept of requests whose token stands in their body: they are read before anybody is admitted."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from regard_service.errors import Overloaded

RETRY_S = 1.0


class UnadmittedBodies:
    """The bytes of bodies that are being read for their token.

    Args:
        max_bytes: of all together; one address has half of it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._bytes_of: Counter[str] = Counter()

    @contextmanager
    def counted(self, address: str) -> Iterator[Callable[[int], None]]:
        """Yields what counts a body's chunks, which are forgotten with the block. It raises Overloaded."""
        size = 0

        def grow(num_bytes: int) -> None:
            nonlocal size
            if self._num_bytes + num_bytes > self._max_bytes or (
                self._bytes_of[address] + num_bytes > self._max_bytes // 2
            ):
                raise Overloaded("too many bodies are on their way whose key is not known yet", retry_after_s=RETRY_S)
            size += num_bytes
            self._num_bytes += num_bytes
            self._bytes_of[address] += num_bytes

        try:
            yield grow
        finally:
            self._num_bytes -= size
            self._bytes_of[address] -= size
            if not self._bytes_of[address]:
                del self._bytes_of[address]
