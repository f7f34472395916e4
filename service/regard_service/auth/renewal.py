"""Reads the token file again when it has changed: a token that is removed stops working without a restart."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from regard_service.auth.tokens import TokenFile, TokensError

CHECK_INTERVAL_S = 1.0

log = logging.getLogger(__name__)


class TokenRenewal:
    """Watches a token file, on one event loop.

    Args:
        file: as it was read last.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._stamp = _stamp(file)
        self._checked_at = clock()

    def renewed(self) -> TokenFile | None:
        """Returns the tokens if the file has changed, which is looked up once a second. Keeps the old ones, and logs
        why, while the new ones cannot be used.
        """
        now = self._clock()
        if now - self._checked_at < CHECK_INTERVAL_S:
            return None
        self._checked_at = now
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            tokens = TokenFile.load(self._file)
        except TokensError as error:
            log.error("the new tokens cannot be used, the old ones stay: %s", error)
            return None
        log.info("the tokens were reloaded")
        return tokens


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
