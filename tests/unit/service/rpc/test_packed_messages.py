"""Messages that are packed, and those that only look so."""

import gzip
import zlib
from collections.abc import Callable

import pytest

from regard.v1 import regard_pb2 as pb
from regard_service.errors import BodyTooLarge, InvalidInput
from regard_service.rpc.packed_messages import AT_ONCE_BYTES, unpacked, unpacked_at_once

MESSAGE = pb.TranslateRequest(texts=["Hello."], target_language="de").SerializeToString()
LARGE = bytes(range(256)) * 1024


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bytes], ids=["gzip", "deflate", "plain"])
@pytest.mark.parametrize("message", [MESSAGE, LARGE, b"", LARGE[:AT_ONCE_BYTES]], ids=["small", "large", "no", "edge"])
async def test_a_message_is_the_same_packed_or_not(pack: Callable[[bytes], bytes], message: bytes) -> None:
    assert await unpacked(pack(message), len(LARGE)) == message


async def test_a_message_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(BodyTooLarge, match="more than 1000000 bytes, unpacked; the limit is max_message_bytes"):
        await unpacked(gzip.compress(bytes(1_000_001)), 1_000_000)
    assert len(await unpacked(gzip.compress(bytes(1_000_000)), 1_000_000)) == 1_000_000
    with pytest.raises(BodyTooLarge):
        await unpacked(gzip.compress(bytes(101)), 100)


@pytest.mark.parametrize(
    "raw",
    [
        gzip.compress(LARGE)[:-9],
        gzip.compress(MESSAGE)[:-1],
        gzip.compress(MESSAGE) + b"x",
        b"\x1f\x8b",
        b"\x1f\x8b\x08\0",
    ],
    ids=["no end", "cut", "longer", "two bytes", "head"],
)
async def test_a_damaged_stream_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match="request: is not a whole gzip stream"):
        await unpacked(raw, len(LARGE))


@pytest.mark.parametrize("raw", [b"\x78\x01", b"\x78\x9c\x01", zlib.compress(MESSAGE)[:-1]])
async def test_a_message_that_begins_like_a_stream_is_a_message(raw: bytes) -> None:
    assert await unpacked(raw, 100) == raw


def test_small_messages_of_streams_are_unpacked() -> None:
    assert unpacked_at_once(gzip.compress(MESSAGE)) == MESSAGE
    assert unpacked_at_once(MESSAGE) == MESSAGE
    with pytest.raises(InvalidInput):
        unpacked_at_once(gzip.compress(bytes(AT_ONCE_BYTES + 1)))
