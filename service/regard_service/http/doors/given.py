"""A request of a door as it was sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request

from regard_service.http.doors.fields import Fields, read_fields
from regard_service.http.queries import query_pairs


@dataclass(frozen=True)
class Given:
    """A request with its whole body.

    Attributes:
        headers: by their names in lower case; of one that is given twice, the last.
        query: names and values, in order.
        in_path: the parameters of the path.
        body: b"" for a request without one.
        base_url: of the server, as the client calls it: "http://localhost:8080"; "https" if a proxy says so, which only
            its own client's answer depends on.
    """

    headers: Mapping[str, str]
    query: tuple[tuple[str, str], ...] = ()
    in_path: Mapping[str, str] | None = None
    body: bytes = b""
    base_url: str = ""

    @classmethod
    def of(cls, request: Request, body: bytes) -> "Given":
        """Returns a request whose body has been read. Raises InvalidInput for a query that is not UTF-8."""
        return cls(
            dict(request.headers.items()),
            tuple(query_pairs(request.scope["query_string"])),
            request.path_params,
            body,
            _base_url(request),
        )

    @cached_property
    def fields(self) -> Fields:
        """The fields of the query and of the body: JSON, a form, or a form of parts. Raises InvalidInput."""
        return read_fields(self.headers.get("content-type", ""), self.body, self.query)


def _base_url(request: Request) -> str:
    """As `request.base_url`, in a tenth of the time."""
    secure = request.headers.get("x-forwarded-proto", "").lower() == "https"
    return f"{'https' if secure else request.scope['scheme']}://{request.headers.get('host', '')}"
