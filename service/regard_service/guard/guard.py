"""Lets callers in, by their token."""

from collections.abc import Iterator
from contextlib import contextmanager

from regard_service.errors import Forbidden, Unauthenticated
from regard_service.guard.limits import CallerLimits
from regard_service.guard.tokens import Scope, TokenFile

_SCHEME = "bearer "


class Guard:
    """Knows the callers of a server and what each has in use."""

    def __init__(self, tokens: TokenFile) -> None:
        self._tokens = tokens
        self._limits = {entry.name: CallerLimits(entry) for entry in tokens.tokens}

    @contextmanager
    def admit(self, authorization: str | None, scope: Scope) -> Iterator[str]:
        """Surrounds a call; gives the caller's name.

        Args:
            authorization: as the caller sent it, "Bearer TOKEN".

        Raises:
            Unauthenticated: no token, or one that nobody has.
            Forbidden: the token lacks the scope.
            QuotaExceeded: the caller has used up what it has.
        """
        if authorization is None:
            raise Unauthenticated('this server wants a token, sent as "authorization: Bearer TOKEN"')
        if not authorization.lower().startswith(_SCHEME):
            raise Unauthenticated('"authorization" must be "Bearer TOKEN"')
        entry = self._tokens.find(authorization[len(_SCHEME) :].strip())
        if entry is None:
            raise Unauthenticated("the token is not known here")
        if scope not in entry.scopes:
            raise Forbidden(f"the token of {entry.name!r} does not have the scope {scope!r}")
        with self._limits[entry.name].admit():
            yield entry.name
