"""Ports that are to be shared, and are free."""

import socket
from typing import Any, NamedTuple

from regard_service.app.start_error import StartError


class Place(NamedTuple):
    """Where a socket listens, as `socket` takes it."""

    family: socket.AddressFamily
    kind: socket.SocketKind
    address: Any


def check_free(host: str, port: int, setting: str) -> Place:
    """Returns where to listen. A port in use is no error of sockets that share it, so it is tried without sharing.

    Args:
        setting: the port's, for errors.

    Raises:
        StartError: another server listens there, also one that would share its port.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        with socket.create_server(address, family=family):
            return Place(family, kind, address)
    except OSError as error:
        raise StartError(f"{setting}: cannot listen on {host}:{port}: {error}") from error
