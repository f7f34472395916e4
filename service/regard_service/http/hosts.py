"""Refuses requests whose Host header names another server.

A page of a stranger may let its own name point to this server's address (DNS rebinding). The browser then takes both
for one site, and lets the page read the answers.
"""

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from regard_service.http.problems import Problem

ANY_HOST = "*"
LOOPBACK_NAMES = ("localhost",)
PROBE_PATHS = frozenset(("/healthz", "/readyz", "/metrics"))


def default_hosts(address: str) -> tuple[str, ...]:
    """Returns the names that a server answers to by default: on a loopback address its own, else any."""
    try:
        is_loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_loopback = address in LOOPBACK_NAMES
    return LOOPBACK_NAMES if is_loopback else (ANY_HOST,)


class HostCheck:
    """Passes on requests to allowed hosts, and to none. Addresses are always allowed: a page's name cannot be one.

    Args:
        allowed: names without ports; "*" allows any.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(name.lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 421 to a request for another host."""
        if scope["type"] == "http" and ANY_HOST not in self._allowed:
            host = _name(Headers(scope=scope).get("host", ""))
            # Probes of HTTP/1.0 name no host; browsers always do. What probes read tells nothing of anybody.
            is_probe = not host and scope["path"] in PROBE_PATHS
            if not is_probe and host not in self._allowed and not _is_address(host):
                detail = f"this server does not answer for the host {host[:100]!r}; allowed_hosts lists those it does"
                problem = Problem(421, "PERMISSION_DENIED", "HOST_NOT_ALLOWED", detail)
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _name(host: str) -> str:
    """Returns a Host header without the port."""
    name = host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return name.strip("[]").rstrip(".").lower()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
