"""What the blocking client and the one for asyncio have in common: the server's address, and what each call sends."""

import grpc

from regard.calls.channel import checked_timeout
from regard.calls.target import Metadata, check_credentials, checked_metadata, checked_target


class BaseClient:
    """The checked arguments of a client, and whether it is closed."""

    def __init__(
        self, target: str, *, timeout: float, credentials: grpc.ChannelCredentials | None, metadata: Metadata
    ) -> None:
        """Checks the arguments, which `Client` and `AsyncClient` describe.

        Raises:
            TypeError, ValueError: the target is no "host:port", or another argument is not what it must be.
        """
        check_credentials(credentials)
        self._target = checked_target(target)
        self._credentials = credentials
        self._timeout = checked_timeout(timeout)
        self._metadata = checked_metadata(metadata)
        self._is_closed = False

    def _check_open(self) -> None:
        """Raises RuntimeError if the client is closed."""
        if self._is_closed:
            raise RuntimeError(f"the client of {self._target} is closed; make another one")
