"""What a door is: its calls, where its keys stand, and the shape of its errors."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from regard_service.auth.tokens import Scope
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.given import Given
from regard_service.http.problems import Problem

Json = Any
_BEARER = "bearer "


@dataclass(frozen=True)
class Answer:
    """What a door's call answers.

    Attributes:
        content: what is written as JSON; bytes are sent as they are.
        media_type: of the response.
        headers: beside those of every response.
    """

    content: Json
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """Returns the body of the response."""
        return self.content if isinstance(self.content, bytes) else write_json(self.content)


def write_json(value: Json) -> bytes:
    """Returns a value as JSON, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class DoorCall:
    """A call of a door's API.

    Attributes:
        name: in the log and as a label of the metrics.
        verbs: of HTTP.
        path: below the door's prefix, as Starlette writes it: "/download/{name}".
        read: makes a message of a request; pure, and in a thread for a large body. Raises InvalidInput, Unsupported.
        run: answers the message.
        scope: that the caller's token needs; None: the call is open to all.
        counts_values: whether the values of a JSON body are counted before it is parsed. False: `read` bounds them.
        json_of: returns the part of a body that is JSON, if other bytes follow it.
    """

    name: str
    verbs: tuple[str, ...]
    path: str
    read: Callable[[Given], Any]
    run: Callable[[Any, DoorBackend, HttpContext], Awaitable[Answer]]
    scope: Scope | None = "infer"
    counts_values: bool = True
    json_of: Callable[[Given], bytes] | None = None


def bearer_token(given: Given) -> str | None:
    """Returns the token of the header "authorization: Bearer TOKEN"; None without one."""
    stated = given.headers.get("authorization", "")
    return stated[len(_BEARER) :].strip() if stated.lower().startswith(_BEARER) else None


@dataclass(frozen=True)
class Door:
    """An API of others.

    Attributes:
        name: of its module and its setting ("NAME_door"); the label `door` of the metrics.
        prefix: of its paths: "/libretranslate"; "" for an API that has to be at the root.
        refuse: writes an error as the API's clients read it.
        token: returns the token that a request has outside of its body; None if it has none.
        token_in_body: returns the one within its body; None: the API has none there. A body that cannot be read has
            none, and may raise InvalidInput.
        describe: returns the door's OpenAPI document, given a version; served below the prefix as "/openapi.json".
    """

    name: str
    prefix: str
    calls: tuple[DoorCall, ...]
    refuse: Callable[[Problem], Response]
    describe: Callable[[str], Json]
    token: Callable[[Given], str | None] = bearer_token
    token_in_body: Callable[[Given], str | None] | None = None

    @property
    def service(self) -> str:
        """The door as a service of `Routes`, in the log and as the label `grpc_service`."""
        return f"regard.doors.{self.name}"
