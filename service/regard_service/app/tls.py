"""TLS certificates from files, read again when the files change: renewing one needs no restart."""

import logging
import ssl
import threading
from collections.abc import Sequence
from pathlib import Path

import grpc

log = logging.getLogger(__name__)


class TlsError(Exception):
    """The certificates cannot be used; the message says why."""


class Certificates:
    """A server's certificate and key, and the authority of its clients' certificates.

    Args:
        certificate: PEM, the chain that starts with the server's own.
        key: PEM.
        client_ca: PEM; a client then needs a certificate that this authority signed (mutual TLS).

    Raises:
        TlsError: a file cannot be read, or certificate and key do not match.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None = None) -> None:
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._lock = threading.Lock()
        self._stamps = self._modified()
        self._configuration = self._read()

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Returns the credentials of a gRPC port. Each new connection checks whether the files have changed."""
        known = self._configuration

        def renewed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal known
            newest = self._newest()
            if newest is known:
                return None
            known = newest
            return newest

        return grpc.dynamic_ssl_server_credentials(
            known,
            renewed,  # type: ignore[arg-type]  # the types lack None, which means "no change"
            require_client_authentication=self._client_ca is not None,
        )

    def https_context(self) -> ssl.SSLContext:
        """Returns the context of an HTTP port. Each new connection gets the newest certificate and authority."""
        newest, known = self._context(), self._configuration

        def renew(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
            nonlocal newest, known
            found = self._newest()
            if found is not known:
                newest, known = self._context(), found
            connection.context = newest

        first = self._context()
        first.sni_callback = renew
        return first

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate, self._key)
        if self._client_ca is not None:
            context.load_verify_locations(self._client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _newest(self) -> grpc.ServerCertificateConfiguration:
        """Returns the certificates of the files as they are; the last ones while the files do not match.

        Every port compares them with those that it has. Called from the event loop and from threads of gRPC.
        """
        with self._lock:
            stamps = self._modified()
            if stamps != self._stamps:
                try:
                    self._configuration = self._read()
                except TlsError as error:
                    log.warning("the new certificates cannot be used: %s", error)
                else:
                    self._stamps = stamps
                    log.info("the certificates were reloaded")
            return self._configuration

    @property
    def _files(self) -> Sequence[Path]:
        return [file for file in (self._certificate, self._key, self._client_ca) if file is not None]

    def _modified(self) -> list[object]:
        """Returns what changes with each file: its time, its size, its place on the disk; None while it is missing."""
        return [_stamp(file) for file in self._files]

    def _read(self) -> grpc.ServerCertificateConfiguration:
        try:
            # gRPC accepts any bytes here, and would fail with the first connection.
            self._context()
            pair = (self._key.read_bytes(), self._certificate.read_bytes())
            root = None if self._client_ca is None else self._client_ca.read_bytes()
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"{', '.join(map(str, self._files))}: {error}") from error
        return grpc.ssl_server_certificate_configuration([pair], root)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
