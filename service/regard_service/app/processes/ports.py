"""The ports of a group: numbers that all members listen on, and no other server."""

import socket

from regard_service.app.free_ports import check_free
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError


class HeldPorts:
    """Binds every port of the settings, without listening, so that members may come and go while the numbers stay.

    The kernel spreads new connections over the sockets that listen on a port, those of the members.

    Raises:
        StartError: another server listens on a port.
    """

    def __init__(self, settings: Settings) -> None:
        self._sockets: list[socket.socket] = []
        self.grpc_port = self._hold(settings.host, settings.grpc_port, "grpc_port")
        self.http_port = self._hold(settings.host, settings.http_port, "http_port")
        is_open = settings.health_port is not None
        self.health_port = self._hold(settings.host, settings.health_port or 0, "health_port") if is_open else None

    def _hold(self, host: str, port: int, setting: str) -> int:
        try:
            place = check_free(host, port, setting)
            held = socket.socket(place.family, place.kind)
            self._sockets.append(held)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(place.address)
        except StartError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise StartError(f"{setting}: cannot listen on {host}:{port}: {error}") from error
        number: int = held.getsockname()[1]
        return number

    def close(self) -> None:
        """Gives the ports back."""
        for each in self._sockets:
            each.close()
