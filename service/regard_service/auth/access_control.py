"""Admits calls by their caller's token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from regard_service.auth.quota import CallerQuota
from regard_service.auth.tokens import Scope, TokenEntry, TokenFile
from regard_service.errors import Forbidden, Unauthenticated

_SCHEME = "bearer "


class AccessControl:
    """Knows the callers of a server and the use of each one's quota."""

    def __init__(
        self, tokens: TokenFile, renewed: Callable[[], TokenFile | None] = lambda: None, *, num_processes: int = 1
    ) -> None:
        """Prepares the quotas.

        Args:
            renewed: returns the tokens if they have changed; called with every call.
            num_processes: of the server, which divide the quotas.
        """
        self._renewed = renewed
        self._num_processes = num_processes
        self._quotas: dict[TokenEntry, CallerQuota] = {}
        self._set(tokens)

    def _set(self, tokens: TokenFile) -> None:
        """Takes the callers from a file. Those that it leaves as they were keep the use of their quota."""
        self._tokens = tokens
        self._quotas = {
            entry: self._quotas.get(entry) or CallerQuota(entry, num_processes=self._num_processes)
            for entry in tokens.tokens
        }

    @contextmanager
    def admit(self, authorization: str | None, scope: Scope) -> Iterator[TokenEntry]:
        """Surrounds a call; yields the caller.

        Args:
            authorization: the header as the caller sent it, "Bearer TOKEN".

        Raises:
            Unauthenticated: there is no token, or nobody has this one.
            Forbidden: the token lacks the scope.
            QuotaExceeded: the caller has used up its quota.
        """
        if authorization is None:
            raise Unauthenticated('this server wants a token, sent as "authorization: Bearer TOKEN"')
        if not authorization.lower().startswith(_SCHEME):
            raise Unauthenticated('"authorization" must be "Bearer TOKEN"')
        renewed = self._renewed()
        if renewed is not None:
            self._set(renewed)
        entry = self._tokens.find(authorization[len(_SCHEME) :].strip())
        if entry is None:
            raise Unauthenticated("the token is not known here")
        if scope not in entry.scopes:
            raise Forbidden(f"the token of {entry.name!r} does not have the scope {scope!r}")
        with self._quotas[entry].admit():
            yield entry
