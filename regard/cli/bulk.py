"""Standard input in bulk: many calls in flight, results in the order of the lines, memory bounded."""

import asyncio
import io
import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import click

from regard import as_json
from regard.aio import AsyncClient
from regard.cli import output
from regard.cli.app import describe
from regard.cli.options import Asked
from regard.cli.progress import Progress
from regard.cli.servers import Address
from regard.errors import CallError, InvalidArgument, Overloaded, RegardError
from regard.results import Result

T = TypeVar("T")
R = TypeVar("R")

# A slow line holds back what is printed, not what runs: so many times more results than calls may wait for it.
_WINDOW = 8
_MAX_REFUSALS = 100
_MAX_PAUSE_S = 10.0


@dataclass(frozen=True)
class Outcome:
    """What came of a line of that many bytes."""

    number: int
    num_bytes: int
    came: Result | RegardError


def run(
    address: Address, read: Callable[[bytes], str], call: Callable[[AsyncClient, str], Awaitable[Result]], asked: Asked
) -> int:
    """Runs all lines of standard input and prints what came of each; returns how many failed."""
    return asyncio.run(_run(address, read, call, asked))


async def _run(
    address: Address, read: Callable[[bytes], str], call: Callable[[AsyncClient, str], Awaitable[Result]], asked: Asked
) -> int:
    stdin = _own_stdin()
    num_failed = 0
    async with address.async_client() as client, aclosing(lines_of(stdin)) as lines:

        async def outcome(line: tuple[int, bytes]) -> Outcome:
            return Outcome(line[0], len(line[1]), await _came_of(line[1], read, lambda item: call(client, item)))

        # Where results go to the same terminal, they show the progress themselves.
        with_bar = sys.stderr.isatty() and not sys.stdout.isatty() and not asked.quiet
        with Progress(stdin, shown=with_bar) as progress:
            async with aclosing(in_order(lines, outcome, asked.concurrency)) as outcomes:
                async for each in outcomes:
                    failed = isinstance(each.came, RegardError)
                    num_failed += failed
                    _print(each, asked)
                    progress.advance(each.num_bytes, failed)
    return num_failed


async def _came_of(
    line: bytes, read: Callable[[bytes], str], call: Callable[[str], Awaitable[Result]]
) -> Result | RegardError:
    try:
        item = read(line)
        return await patiently(lambda: call(item))
    except RegardError as error:
        return error
    except OSError as error:  # a picture that cannot be read
        return InvalidArgument("INVALID_ARGUMENT", f"{error.filename}: {error.strerror}", "UNREADABLE_FILE")


async def patiently(call: Callable[[], Awaitable[R]]) -> R:
    """Calls again as long as the server says when to return: nobody waits for a bulk's single line."""
    for _ in range(_MAX_REFUSALS):
        try:
            return await call()
        except Overloaded as error:
            if error.retry_after_s is None:
                raise
            await asyncio.sleep(min(error.retry_after_s, _MAX_PAUSE_S))
    return await call()


def _print(outcome: Outcome, asked: Asked) -> None:
    """Prints one line for one line; where only text is printed, an error leaves an empty one."""
    came = outcome.came
    as_objects = asked.json or asked.jsonl
    if isinstance(came, Result):
        output.write_line(came.to_json() if as_objects else " ".join(output.shown(came.text).split("\n")))
    elif as_objects:
        output.write_line(as_json.dump({"error": _error_object(came)}))
    else:
        output.write_line("")
        click.echo(f"regard: line {outcome.number}: {describe(came)}", err=True)


def _error_object(error: RegardError) -> dict[str, object]:
    if isinstance(error, CallError):
        return error.to_dict()
    return {"code": "INTERNAL", "reason": type(error).__name__, "message": str(error), "violations": []}


def text_of(line: bytes) -> str:
    """The text that a line is."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise _bad_line(f"not UTF-8: byte {error.start} is {line[error.start]:#04x}") from None


def field_of(line: bytes, key: str) -> str:
    """The value of `key` in the JSON object that a line is; its other keys are the user's own."""
    try:
        content = json.loads(text_of(line))
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

    Items are taken only as results are: with `_WINDOW` x `concurrency` results waiting, the rest stays where it is.
    `call` must not raise; what `items` raises, this does.
    """
    permits = asyncio.Semaphore(concurrency)
    started: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue(_WINDOW * concurrency)
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
        while not started.empty():  # the feeder's last word needs room
            started.get_nowait()
        await asyncio.gather(*leftover, return_exceptions=True)


async def lines_of(stream: BinaryIO) -> AsyncGenerator[tuple[int, bytes], None]:
    """The stream's lines without their ends, numbered from 1, as they come; read ahead by a few only.

    A thread of its own reads, as reading blocks; it is a daemon, so that the program can end without another line.
    """
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
    room = threading.Semaphore(64)
    closed = threading.Event()

    def tell(what: bytes | Exception | None) -> None:
        room.acquire()
        if not closed.is_set():
            loop.call_soon_threadsafe(arrived.put_nowait, what)

    def read() -> None:
        try:
            for line in _until(closed, stream):
                tell(line)
            tell(None)
        except OSError as error:
            tell(error)
        except RuntimeError:  # the loop has ended
            return
        finally:
            stream.close()

    threading.Thread(target=read, daemon=True, name="stdin").start()
    number = 0
    try:
        while (what := await arrived.get()) is not None:
            room.release()
            if isinstance(what, Exception):
                raise what
            number += 1
            yield number, what.rstrip(b"\r\n")
    finally:
        closed.set()
        room.release()


def _own_stdin() -> BinaryIO:
    """Standard input by a descriptor of its own: the interpreter's end wants the usual one, which a thread may hold."""
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except io.UnsupportedOperation:  # a test's, and not the system's
        return sys.stdin.buffer


def _until(closed: threading.Event, stream: Iterable[bytes]) -> Iterable[bytes]:
    for line in stream:
        if closed.is_set():
            return
        yield line
