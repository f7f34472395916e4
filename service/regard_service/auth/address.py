"""The address of a caller: of his connection, or as a trusted proxy forwards it."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import unquote

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

IPV6_PREFIX = 64  # what one customer has: its addresses are one caller


@lru_cache(maxsize=4096)
def caller_of_peer(peer: str) -> str:
    """Returns the caller behind a peer as gRPC writes it, "ipv4:127.0.0.1:50000": all its connections are one."""
    kind, _, address = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return peer
    return _caller(unquote(address).rpartition(":")[0])


def forwarded_caller(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """Returns the caller behind trusted proxies: the last address that no trusted proxy has.

    Args:
        forwarded: the values of X-Forwarded-For. What an untrusted sender writes into it is ignored.
    """
    caller = caller_of_peer(peer)
    addresses = [part.strip() for value in forwarded for part in value.split(",")]
    host = unquote(peer.partition(":")[2]).rpartition(":")[0]
    while addresses and _is_trusted(host, trusted):
        host = addresses.pop()
        if _parsed(host) is None:
            break
        caller = _caller(host)
    return caller


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Returns networks from addresses and ranges, "10.0.0.0/8". Raises ValueError."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _caller(host: str) -> str:
    address = _parsed(host)
    if address is None:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def _is_trusted(host: str, trusted: Sequence[Network]) -> bool:
    address = _parsed(host)
    return address is not None and any(address in network for network in trusted)


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
