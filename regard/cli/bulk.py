"""Standard input in bulk: many calls in flight, results in the order of the lines, bounded memory."""

import asyncio
import io
import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias, TypeVar

import click

from regard.bulk.rows import unique_keys
from regard.calls.aio import AsyncClient
from regard.calls.mapping import retrying_async
from regard.calls.results import Result
from regard.cli import output
from regard.cli.app import describe
from regard.cli.options import Flags
from regard.cli.progress import Progress
from regard.cli.servers import Address
from regard.errors import InvalidArgument, RegardError
from regard.errors.as_json import error_object
from regard.wire import as_json

T = TypeVar("T")
R = TypeVar("R")

# A slow line delays the output of later lines, not their calls: this many times `concurrency` results may wait for it.
_WINDOW_FACTOR = 8
_MAX_READ_AHEAD = 64  # lines of standard input

ReadLine: TypeAlias = Callable[[bytes], T]
CallOne: TypeAlias = Callable[[AsyncClient, T], Awaitable[Result]]


@dataclass(frozen=True)
class Outcome:
    """The result of a line, or the error that it failed with.

    Attributes:
        number: the line's number, from 1.
        num_bytes: the line's length without its end.
    """

    number: int
    num_bytes: int
    value: Result | RegardError


def run(address: Address, read: ReadLine[T], call: CallOne[T], flags: Flags) -> int:
    """Runs every line of standard input and prints its outcome; returns how many failed.

    Args:
        address: the server.
        read: the input that a line holds; raises RegardError for a bad line.
        call: calls the server with an input.
        flags: of the command.
    """
    return asyncio.run(_run(address, read, call, flags))


async def _run(address: Address, read: ReadLine[T], call: CallOne[T], flags: Flags) -> int:
    stdin = _duplicate_stdin()
    num_failed = 0
    async with address.async_client() as client, aclosing(read_lines(stdin)) as lines:

        async def run_line(line: tuple[int, bytes]) -> Outcome:
            number, content = line
            return Outcome(number, len(content), await _result_or_error(content, read, lambda item: call(client, item)))

        # Results that are printed to the same terminal show the progress themselves.
        has_bar = sys.stderr.isatty() and not sys.stdout.isatty() and not flags.quiet
        with Progress(stdin, is_shown=has_bar) as progress:
            async with aclosing(in_order(lines, run_line, flags.concurrency)) as outcomes:
                async for each in outcomes:
                    is_failed = isinstance(each.value, RegardError)
                    num_failed += is_failed
                    _print(each, flags)
                    progress.advance(each.num_bytes, is_failed)
    return num_failed


async def _result_or_error(
    line: bytes, read: ReadLine[T], call: Callable[[T], Awaitable[Result]]
) -> Result | RegardError:
    try:
        item = read(line)
        return await retrying_async(lambda: call(item))
    except RegardError as error:
        return error
    except OSError as error:  # a picture that cannot be read
        return InvalidArgument("INVALID_ARGUMENT", f"{error.filename}: {error.strerror}", "UNREADABLE_FILE")


def _print(outcome: Outcome, flags: Flags) -> None:
    """Prints one line for each input line; without JSON, an empty one for an error."""
    value = outcome.value
    is_json = flags.json or flags.jsonl
    if isinstance(value, Result):
        output.write_line(value.to_json() if is_json else " ".join(output.escape(value.text).split("\n")))
        if not is_json:
            for warning in output.warnings_of(value):
                click.echo(f"regard: line {outcome.number}: {warning}", err=True)
    elif is_json:
        output.write_line(as_json.dump({"error": error_object(value)}))
    else:
        output.write_line("")
        click.echo(f"regard: line {outcome.number}: {describe(value)}", err=True)


def read_text(line: bytes) -> str:
    """The line as text. Raises InvalidArgument if it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise _bad_line(f"not UTF-8: byte {error.start} is {line[error.start]:#04x}") from None


def read_field(line: bytes, key: str) -> str:
    """The text of `key` in the line's JSON object; ignores other keys. Raises InvalidArgument if there is none."""
    try:
        content = json.loads(read_text(line), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise _bad_line(f"not JSON: {error}") from None
    value = content.get(key) if isinstance(content, dict) else None
    if not isinstance(value, str):
        raise _bad_line(f'not an object with a text "{key}"')
    return value


def _bad_line(message: str) -> InvalidArgument:
    return InvalidArgument("INVALID_ARGUMENT", f"the line is {message}", "INVALID_LINE")


async def in_order(
    items: AsyncIterator[T], call: Callable[[T], Awaitable[R]], concurrency: int
) -> AsyncGenerator[R, None]:
    """Yields `call` of each item, in the items' order, with at most `concurrency` calls in flight.

    Reads an item only if fewer than `_WINDOW_FACTOR` x `concurrency` results wait for the consumer. `call` must not
    raise; an error of `items` is raised after the results before it.
    """
    permits = asyncio.Semaphore(concurrency)
    started: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue(_WINDOW_FACTOR * concurrency)
    running: set[asyncio.Task[R]] = set()

    async def limited(item: T) -> R:
        async with permits:
            return await call(item)

    async def feed() -> None:
        try:
            async for item in items:
                task = asyncio.create_task(limited(item))
                running.add(task)
                await started.put(task)
        finally:
            await started.put(None)

    feeder = asyncio.create_task(feed())
    try:
        while (task := await started.get()) is not None:
            yield await task
            running.discard(task)
        await feeder
    finally:
        leftover = [feeder, *running]
        for each in leftover:
            each.cancel()
        while not started.empty():  # makes room for the feeder's final None
            started.get_nowait()
        await asyncio.gather(*leftover, return_exceptions=True)


async def read_lines(stream: BinaryIO) -> AsyncGenerator[tuple[int, bytes], None]:
    """Yields the stream's lines as they arrive, numbered from 1 and without their ends; reads ahead a few lines only.

    A daemon thread reads, because reading blocks and must not keep the program from ending.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
    room = threading.Semaphore(_MAX_READ_AHEAD)
    closed = threading.Event()

    def put(item: bytes | Exception | None) -> None:
        room.acquire()
        if not closed.is_set():
            loop.call_soon_threadsafe(arrived.put_nowait, item)

    def read() -> None:
        try:
            for line in _until(closed, stream):
                put(line)
            put(None)
        except OSError as error:
            put(error)
        except RuntimeError:  # the loop has ended
            return
        finally:
            stream.close()

    threading.Thread(target=read, daemon=True, name="stdin").start()
    number = 0
    try:
        while (item := await arrived.get()) is not None:
            room.release()
            if isinstance(item, Exception):
                raise item
            number += 1
            yield number, item.rstrip(b"\r\n")
    finally:
        closed.set()
        room.release()


def _duplicate_stdin() -> BinaryIO:
    """A duplicate of standard input: at its end the interpreter locks its own, which the reading thread may hold."""
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except io.UnsupportedOperation:  # a test's replacement has no descriptor
        return sys.stdin.buffer


def _until(closed: threading.Event, stream: Iterable[bytes]) -> Iterable[bytes]:
    for line in stream:
        if closed.is_set():
            return
        yield line
