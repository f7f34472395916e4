"""Closes connections of gRPC, whose API has no way to end a call whose answer nobody reads."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

OPEN_FILES = Path("/proc/self/fd")
IPV4_MAPPED = "::ffff:"  # IPv4 on a socket of both kinds


def close_connection(peer: str) -> bool:
    """Shuts the connection of a peer down, which ends its calls and frees their messages. gRPC then closes it.

    Args:
        peer: as gRPC writes it: "ipv4:127.0.0.1:50000", "ipv6:[::1]:50000" or "ipv6:%5B::1%5D:50000".

    Returns:
        False if there is no such connection, or the system does not tell.
    """
    kind, _, address = peer.partition(":")
    host, _, port = unquote(address).rpartition(":")
    if kind not in ("ipv4", "ipv6") or not port.isdigit():
        return False
    remote = host.strip("[]"), int(port)
    try:
        numbers = os.listdir(OPEN_FILES)
    except OSError:
        return False
    return any(_shut_down(int(number), remote) for number in numbers)


def _shut_down(number: int, remote: tuple[str, int]) -> bool:
    try:
        duplicate = os.dup(number)
    except OSError:
        return False
    try:
        connection = socket.socket(fileno=duplicate)
    except OSError:  # a file, or a pipe
        os.close(duplicate)
        return False
    with connection, suppress(OSError, TypeError, ValueError):
        host, port = connection.getpeername()[:2]
        if (host.removeprefix(IPV4_MAPPED), port) == remote:
            connection.shutdown(socket.SHUT_RDWR)
            return True
    return False
