"""Refuses requests that a page of another site makes a browser send."""

from urllib.parse import urlsplit

from starlette.requests import Request

from regard_service.errors import Forbidden

_OWN = ("none", "same-origin")


def check_site(request: Request) -> None:
    """Refuses what a browser sends for a page of another site without anybody's permission: GETs and forms.

    Programs send none of these headers. A browser sends `sec-fetch-site`, or, where it is old or the server has neither
    TLS nor a loopback address, `origin` with every POST.

    Raises:
        Forbidden: names the header that tells (https://www.w3.org/TR/fetch-metadata, RFC 6454).
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in _OWN:
        raise Forbidden("a page of another site made this request, as sec-fetch-site tells")
    host = request.headers.get("host", "")
    if site is None and origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        raise Forbidden("a page of another site made this request, as origin tells")
