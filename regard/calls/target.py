"""Where a client calls, and what it sends with every call: checked before gRPC sees it."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import grpc

DEFAULT_PORT = 50051
DEFAULT_TARGET = f"localhost:{DEFAULT_PORT}"

Metadata: TypeAlias = Sequence[tuple[str, str]] | Mapping[str, str]

_GRPC_SCHEMES = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:", "xds:")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?#]*)")
_METADATA_NAME = re.compile(r"[a-z0-9_.-]+")
_HOST = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(:(?P<port>.*))?")


def checked_target(target: object) -> str:
    """The target as gRPC takes it. One without a port gets Regard's; gRPC would take 443.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, a URL, or has no port that there is.
    """
    if not isinstance(target, str):
        raise TypeError(f"target must be a text such as {DEFAULT_TARGET!r}; it is of type {type(target).__name__}")
    name = target.strip()
    if name.startswith(_GRPC_SCHEMES):
        return name
    if url := _URL.match(name):
        raise ValueError(_advice_on_url(target, url["scheme"].lower(), url["host"]))
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"  # an address of IPv6
    parts = _HOST.fullmatch(name)
    if not parts or not parts["host"] or re.search(r"[\s/]", name):
        raise ValueError(f"target must be HOST:PORT, such as {DEFAULT_TARGET!r}; it is {target!r}")
    port = parts["port"]
    if port is None:
        return f"{name}:{DEFAULT_PORT}"
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError(f"target must be HOST:PORT with a port from 1 to 65535; it is {target!r}")
    return name


def _advice_on_url(target: str, scheme: str, host: str) -> str:
    wrong = f"target must be HOST:PORT of the gRPC API, such as {DEFAULT_TARGET!r}; it is the URL {target!r}"
    if scheme == "http":
        return f"{wrong}; the HTTP port, 8080 by default, takes no gRPC"
    if scheme == "https":
        return f"{wrong}; for TLS, pass credentials (--tls-ca on the command line)"
    return f"{wrong}; did you mean {host!r}?" if host else wrong


def checked_metadata(metadata: Metadata) -> tuple[tuple[str, str], ...]:
    """Pairs of names and values, from pairs or from a dictionary.

    Raises:
        TypeError: it is neither.
        ValueError: HTTP/2 does not take a name or a value.
    """
    pairs = metadata.items() if isinstance(metadata, Mapping) else metadata
    try:
        checked = tuple((name, value) for name, value in pairs)
    except (TypeError, ValueError):
        checked = ((0, 0),)  # type: ignore[assignment]  # described below
    if not all(isinstance(part, str) for pair in checked for part in pair):
        raise TypeError(f'metadata must be pairs such as ("authorization", "Bearer ..."); it is {metadata!r}')
    return tuple(_checked_pair(name, value) for name, value in checked)


def _checked_pair(name: str, value: str) -> tuple[str, str]:
    """A pair as HTTP/2 takes it: names in lower case. Values are not shown, as they may be secrets."""
    name = name.lower()
    if not _METADATA_NAME.fullmatch(name):
        raise ValueError(f"metadata has the name {name!r}; names consist of a-z, 0-9, '-', '_' and '.'")
    if name.endswith("-bin"):
        raise ValueError(f"metadata has the name {name!r}; names with -bin are for bytes, which are not sent")
    wrong = next((index for index, character in enumerate(value) if not " " <= character <= "~"), None)
    if wrong is not None:
        raise ValueError(f"metadata {name!r} has a value with {value[wrong]!r} at {wrong}; values are printable ASCII")
    return name, value


def check_credentials(credentials: object) -> None:
    """Raises TypeError if these are no credentials of gRPC."""
    if credentials is not None and not isinstance(credentials, grpc.ChannelCredentials):
        raise TypeError(
            "credentials must be what grpc.ssl_channel_credentials() returns; they are of type "
            f"{type(credentials).__name__}. A token is sent by metadata={{'authorization': 'Bearer ...'}}"
        )
