"""Unpacks compressed messages.

gRPC's core unpacks into pieces of a kilobyte, which gRPC for Python joins on the event loop: 100 ms for 32 MB, which
are 32 kB on the wire. So it is told not to (`grpc.per_message_decompression`), and hands packed messages over as they
are. They are recognized by their first bytes.
"""

import asyncio
import zlib

from regard_service.errors import BodyTooLarge, InvalidInput

AT_ONCE_BYTES = 1 << 16  # unpacked on the event loop; what is longer is unpacked in a thread
_GZIP = b"\x1f\x8b"  # a message cannot begin so: there is no wire type 7
_DEFLATE = 0x78  # the tag of a number in field 15, so only a whole stream is taken for a packed message
_ANY_HEADER = 32 + zlib.MAX_WBITS  # of gzip or zlib


async def unpacked(raw: bytes, max_bytes: int) -> bytes:
    """Returns a message without its compression.

    Raises:
        BodyTooLarge: it has more than `max_bytes`.
        InvalidInput: it is damaged.
    """
    if not _may_be_packed(raw):
        return raw
    stream = zlib.decompressobj(_ANY_HEADER)
    try:
        head = stream.decompress(raw, AT_ONCE_BYTES)
        if not stream.eof:
            head = await asyncio.to_thread(_rest, stream, head, max_bytes)
        if len(head) <= max_bytes:
            _check_end(stream)
    except (zlib.error, InvalidInput) as error:
        if not raw.startswith(_GZIP):
            return raw  # a message after all
        raise InvalidInput.of("request", f"is not a whole gzip stream: {error}") from error
    if len(head) > max_bytes:
        raise BodyTooLarge(f"the message has more than {max_bytes} bytes, unpacked; the limit is max_message_bytes")
    return head


def unpacked_at_once(raw: bytes) -> bytes:
    """As `unpacked`, for messages that are small, of which there may be many in a call."""
    if not raw.startswith(_GZIP):
        return raw
    stream = zlib.decompressobj(_ANY_HEADER)
    try:
        message = stream.decompress(raw, AT_ONCE_BYTES)
        _check_end(stream)
    except zlib.error as error:
        raise InvalidInput.of("request", f"is not a whole gzip stream: {error}") from error
    return message


def _may_be_packed(raw: bytes) -> bool:
    return raw.startswith(_GZIP) or (len(raw) > 1 and raw[0] == _DEFLATE and (raw[0] << 8 | raw[1]) % 31 == 0)


def _rest(stream: "zlib._Decompress", head: bytes, max_bytes: int) -> bytes:
    """Returns the message, or its first `max_bytes` and one more."""
    return head + stream.decompress(stream.unconsumed_tail, max(1, max_bytes + 1 - len(head)))


def _check_end(stream: "zlib._Decompress") -> None:
    if not stream.eof or stream.unused_data:
        raise InvalidInput.of("request", "it does not end where the message ends")
