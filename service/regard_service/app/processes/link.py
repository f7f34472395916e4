"""A member's side of the pipe to its group, on an event loop."""

import asyncio
import itertools
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing.connection import Connection

from regard_service.app.processes.messages import (
    Answer,
    Drain,
    MetricsWanted,
    ModelChange,
    Question,
    Reply,
    ToGroup,
    ToMember,
)

Answering = Callable[[MetricsWanted | ModelChange], Awaitable[Reply]]


class Link:
    """Asks the group, and answers its questions.

    Args:
        on_end: called when the group tells the member to drain, and when the group is gone.
    """

    def __init__(self, pipe: Connection, on_end: Callable[[], None]) -> None:
        self._pipe = pipe
        self._on_end = on_end
        self._answering: Answering | None = None
        self._held: list[Question] = []
        self._asked: dict[int, asyncio.Future[Reply]] = {}
        self._numbers = itertools.count()
        self._sending = threading.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Reads from now on, in a thread: event loops read only what may come in pieces."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="link", daemon=True).start()

    def answer_with(self, answering: Answering) -> None:
        """Answers questions, also those that came before."""
        self._answering = answering
        held, self._held = self._held, []
        for question in held:
            self._begin(question)

    async def ask(self, about: MetricsWanted | ModelChange) -> Reply:
        """Asks the group; None if it is gone."""
        number = next(self._numbers)
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        await self.send(Question(number, about))
        return await answer

    async def send(self, message: ToGroup) -> None:
        """Sends in a thread: the group may be waiting for this loop to read."""
        await asyncio.to_thread(self._send, message)

    def _send(self, message: ToGroup) -> None:
        with self._sending:
            try:
                self._pipe.send(message)
            except OSError:  # the group is gone, which the next read tells
                return

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop has ended
            try:
                while True:
                    loop.call_soon_threadsafe(self._take, self._pipe.recv())
            except (EOFError, OSError):
                loop.call_soon_threadsafe(self._lose)

    def _lose(self) -> None:
        """The group is gone."""
        for answer in self._asked.values():
            if not answer.done():
                answer.set_result(None)
        self._on_end()

    def _take(self, message: ToMember) -> None:
        match message:
            case Drain():
                self._on_end()
            case Answer(number, reply):
                answer = self._asked.pop(number, None)
                if answer is not None and not answer.done():
                    answer.set_result(reply)
            case Question() if self._answering is None:
                self._held.append(message)
            case Question():
                self._begin(message)

    def _begin(self, question: Question) -> None:
        task = asyncio.get_running_loop().create_task(self._reply(question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, question: Question) -> None:
        if self._answering is not None:
            await self.send(Answer(question.number, await self._answering(question.about)))
