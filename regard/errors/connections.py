"""gRPC's errors of connections, in words for people who know their server but not gRPC."""

import re
from urllib.parse import unquote

NO_SERVER = "no server listens on"

# Signs in gRPC's messages, the first that fits; {place} is the address or name that the message has.
_SENTENCES = (
    ("WRONG_VERSION_NUMBER", "{place} sends plain text, but the client is set up for TLS"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the certificate of {place} is not signed by an authority that the client trusts (credentials, or --tls-ca)",
    ),
    ("Hostname Verification", "the certificate of {place} is for another name"),
    (
        "Failed parsing HTTP/2|http1.x server|Received http2 header with status|missing selected ALPN",
        "{place} answers, but not with gRPC: is that the HTTP port? The gRPC port is by default 50051",
    ),
    ("Connection refused", NO_SERVER + " {place}"),
    ("Domain name not found|Misformatted domain name|address lookup failed", "the name {place} is not known"),
    (
        "connections to all backends failing; last error: UNAVAILABLE: .*Socket closed",
        "{place} closes the connection at once: does it expect TLS (credentials, or --tls-ca)?",
    ),
)
_PLACE = re.compile(r"(?:ipv[46]:|errors resolving )(?P<place>\S+?)(?=: )")


def plain(message: str) -> str:
    """A message of gRPC in words; unchanged if it is about nothing that this module knows."""
    for signs, sentence in _SENTENCES:
        if re.search(signs, message):
            found = _PLACE.search(message)
            place = unquote(found["place"]) if found else "the server"
            return sentence.format(place=place)
    return message
