"""Ends failed calls with the status of their error."""

import logging
import re
from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from regard.v1 import regard_pb2 as pb
from regard_service.convert.malformed import describe_malformed
from regard_service.convert.status import DETAILS_KEY, ErrorStatus, write_status
from regard_service.errors import InvalidInput, OutOfMemory, ServiceError, is_out_of_memory
from regard_service.observability import logs
from regard_service.open_inference import open_inference_pb2
from regard_service.rpc.layers.layer import Behavior, Codec, Context, Layer, Method

MAX_LOGGED_FIELDS = 8

_INDEX = re.compile(r"(\[\d+\])+$")

log = logging.getLogger(__name__)


class ErrorStatusLayer(Layer):
    """Turns errors into statuses. Of errors that are no ServiceError, only the log gets the message.

    Args:
        count: called with the reason of each error.
        more_fields: names that violations may have beside the fields of the API.
    """

    def __init__(self, count: Callable[[str], None], more_fields: Iterable[str] = ()) -> None:
        self._count = count
        self._more_fields = frozenset(more_fields)

    def around(self, method: Method, behavior: Behavior) -> Behavior:
        """Ends each failed call with the status of its error."""

        async def guarded(request: Any, context: Context) -> Any:
            try:
                return await behavior(request, context)
            except grpc.aio.BaseError:  # gRPC's own: the call was aborted, or its client has left
                raise
            except Exception as error:
                if not isinstance(error, ServiceError):
                    log.exception("%s/%s failed", method.service, method.name)
                status = write_status(error)
                self._count(status.reason)
                _release_frames(error)
                await _abort(context, error, status, self._more_fields)

        return guarded

    def deserializer(self, method: Method, deserialize: Codec) -> Codec:
        """Makes bytes that are not a message an error of the caller; gRPC would call it INTERNAL."""

        def read(raw: bytes) -> Any:
            try:
                return deserialize(raw)
            except (DecodeError, MemoryError) as error:
                if is_out_of_memory(error):  # protobuf raises DecodeError for a lack of memory too
                    raise OutOfMemory from error
                raise describe_malformed(f"{method.service}.{method.name}", raw) from error

        return read if method.kind in ("unary", "server_stream") else deserialize


def _release_frames(error: BaseException) -> None:
    """Lets go of what the functions held that raised an error, the message among it. The error that ends the call
    refers to this one, and both are in a circle of references: megabytes would wait for the garbage collector.
    """
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and each not in seen:
            seen.append(each)
            each.__traceback__ = None
            waiting += [each.__cause__, each.__context__]


async def _abort(context: Context, error: Exception, status: ErrorStatus, more_fields: Collection[str]) -> None:
    logs.note(reason=status.reason)
    if isinstance(error, InvalidInput):
        paths = [violation.field for violation in error.violations[:MAX_LOGGED_FIELDS]]
        logs.note(fields=[loggable(path, more_fields) for path in paths])
    trailers = (*(context.trailing_metadata() or ()), (DETAILS_KEY, status.details))
    await context.abort(status.code, status.message, trailers)


def loggable(path: str, more_fields: Collection[str] = ()) -> str:
    """Replaces the unknown names in a field's path. Over HTTP, a caller may write any text in place of a name."""
    names = [(step, _INDEX.sub("", step)) for step in path.split(".")]
    return ".".join(step if name in _field_names() or name in more_fields else "?" for step, name in names)


@cache
def _field_names() -> frozenset[str]:
    """Returns the names of all fields of the API, in both spellings, and the name of a request as a whole."""
    files = (pb.DESCRIPTOR, open_inference_pb2.DESCRIPTOR)
    fields = [field for file in files for message in file.message_types_by_name.values() for field in message.fields]
    return frozenset({"request", *(name for field in fields for name in (field.name, field.json_name))})
