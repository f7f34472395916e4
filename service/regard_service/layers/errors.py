"""Calls that fail end with the status of their error."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from regard.v1 import regard_pb2 as pb
from regard_service.convert.errors import DETAILS_KEY, ErrorStatus, write_error
from regard_service.convert.malformed import describe_malformed
from regard_service.errors import InvalidInput, OutOfMemory, ServiceError, is_out_of_memory
from regard_service.layers.layer import Answer, Codec, Context, Layer, Method
from regard_service.observability import logs
from regard_service.open_inference import open_inference_pb2

_INDEX = re.compile(r"(\[\d+\])+$")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Malformed:
    """Stands in for a request whose bytes could not be parsed, until somebody can answer that."""

    error: ServiceError


class ErrorLayer(Layer):
    """Turns errors into statuses; what is no ServiceError is told to the log only.

    Args:
        count: is told the reason of each.
    """

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count

    def around(self, method: Method, answer: Answer) -> Answer:
        async def guarded(request: Any, context: Context) -> Any:
            try:
                if isinstance(request, Malformed):
                    raise request.error
                return await answer(request, context)
            except grpc.aio.BaseError:  # gRPC's own: the call has been aborted, or its client is gone
                raise
            except Exception as error:
                if not isinstance(error, ServiceError):
                    log.exception("%s/%s failed", method.service, method.name)
                status = write_error(error)
                self._count(status.reason)
                await _abort(context, error, status)

        return guarded

    def deserializer(self, method: Method, deserialize: Codec) -> Codec:
        """Bytes that are no message would be an INTERNAL error to gRPC; here they become the caller's."""

        def read(raw: bytes) -> Any:
            try:
                return deserialize(raw)
            except (DecodeError, MemoryError) as error:
                if is_out_of_memory(error):  # protobuf says so by a DecodeError, which here is not the caller's fault
                    return Malformed(OutOfMemory())
                return Malformed(describe_malformed(f"{method.service}.{method.name}", raw))

        return read if method.kind in ("unary", "server_stream") else deserialize


async def _abort(context: Context, error: Exception, status: ErrorStatus) -> None:
    logs.note(reason=status.reason)
    if isinstance(error, InvalidInput):
        logs.note(fields=[loggable(violation.field) for violation in error.violations[:8]])
    trailers = (*(context.trailing_metadata() or ()), (DETAILS_KEY, status.details))
    await context.abort(status.code, status.message, trailers)


def loggable(path: str) -> str:
    """A field's path as the log may have it: over HTTP a caller can write anything where a name should be."""
    return ".".join(step if _INDEX.sub("", step) in _field_names() else "?" for step in path.split("."))


@cache
def _field_names() -> frozenset[str]:
    """All that fields of the API are called, in both spellings; and what stands for a request as a whole."""
    files = (pb.DESCRIPTOR, open_inference_pb2.DESCRIPTOR)
    fields = [field for file in files for message in file.message_types_by_name.values() for field in message.fields]
    return frozenset({"request", *(name for field in fields for name in (field.name, field.json_name))})
