"""The group: loads the models once, forks the members, replaces those that end, and speaks for all of them."""

import gc
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from prometheus_client.core import Metric

from regard_service.app.processes.exchange import Dialogue, Exchange
from regard_service.app.processes.member import Inherited, run_member
from regard_service.app.processes.messages import (
    Answer,
    Changed,
    Drain,
    MetricsWanted,
    ModelChange,
    Question,
    Reply,
    Serving,
    Stuck,
    ToGroup,
    ToMember,
)
from regard_service.app.processes.ports import HeldPorts
from regard_service.app.processes.shares import member_settings
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError
from regard_service.app.wiring import open_doors, open_repository
from regard_service.engine.runtime.runner import Runner
from regard_service.observability import logs
from regard_service.observability.merging import counts, merged, of_processes
from regard_service.repository.model_repository import ModelRepository

HEALTHY_S = 10.0  # a member that has served this long is replaced at once
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 30.0  # before one that ended sooner is replaced
SEND_TIMEOUT_S = 5.0  # for a member to read on; one that does not is replaced
KILL_AFTER_DRAIN_S = 3.0

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Member:
    """A process of the group."""

    number: int
    process: ForkProcess
    pipe: Connection
    started: float
    is_serving: bool = False
    metrics: list[Metric] = field(default_factory=list)  # as last collected


class Group:
    """The process that users start and stop. It serves nothing itself, so whatever ends a member leaves it alone.

    Its one thread has no event loop: it forks, also when calls run, and a fork copies no other thread's locks.

    Args:
        settings: of the whole server.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._context = multiprocessing.get_context("fork")
        self._members: dict[int, _Member] = {}
        self._due: dict[int, float] = {}  # when the member of a number is started
        self._pauses: dict[int, float] = {}
        self._exchange = Exchange(self._ask)
        self._changes: dict[str, ModelChange] = {}  # by model, in order: what happened to the models since the start
        self._waiting_changes: list[tuple[_Member, Question]] = []
        self._is_changing = self._is_stopping = self._has_served = False
        self._ended: list[Metric] = []
        self._num_replaced = 0
        self._signals: list[int] = []
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)

    def run(self) -> int:
        """Serves until SIGTERM or SIGINT, then drains. Returns the exit status.

        Raises:
            StartError: a port is in use.
            ServiceError: a model that the settings name cannot be served.
        """
        self._ports = HeldPorts(self._settings)
        self._repository: ModelRepository | None = open_repository(self._settings, num_cores=1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        gc.collect()
        gc.freeze()  # a collection would write to the pages that members share
        self._due = dict.fromkeys(range(self._settings.processes), 0.0)
        documents = _document_directory(self._settings)
        self._member_settings = member_settings(self._settings, self._ports, documents)
        try:
            return self._loop()
        finally:
            self._kill(self._members.values())
            self._ports.close()
            if documents is not None:
                shutil.rmtree(documents, ignore_errors=True)

    def _on_signal(self, number: int, _: object) -> None:
        self._signals.append(number)
        os.write(self._waker, b"s")

    def _loop(self) -> int:
        until = float("inf")
        while self._members or not self._is_stopping:
            self._start_due()
            ready = wait(self._sources(), self._timeout_s(until))
            for source in ready:
                self._read(source)
            self._exchange.expire()
            if self._signals and not self._is_stopping:
                until = time.monotonic() + self._settings.drain_timeout_s + KILL_AFTER_DRAIN_S
                self._stop()
            elif len(self._signals) > 1 or time.monotonic() > until:
                return 1
            for member in [each for each in self._members.values() if not each.process.is_alive()]:
                self._bury(member)
            if not self._has_served and self._is_stopping and not self._signals:
                return 1
        log.info("stopped")
        return 0

    def _sources(self) -> list[Any]:
        """What `wait` watches: pipes, the ends of processes, signals."""
        members = self._members.values()
        pipes = [each.pipe for each in members if not each.pipe.closed]
        return [*pipes, *(each.process.sentinel for each in members), self._wake]

    def _timeout_s(self, until: float) -> float | None:
        now = time.monotonic()
        times = [each - now for each in self._due.values()] if not self._is_stopping else [until - now]
        expiring = self._exchange.next_timeout_s()
        times += [] if expiring is None else [expiring]
        return max(0.0, min(times)) if times else None

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [each for each, at in self._due.items() if at <= now and not self._is_stopping]:
            del self._due[number]
            self._start(number)

    def _start(self, number: int) -> None:
        own, theirs = self._context.Pipe()
        _limit_sends(own)
        to_close = [own, *(each.pipe for each in self._members.values())]
        if self._repository is None:
            raise RuntimeError("the group has not loaded its models")
        inherited = Inherited(self._member_settings, self._repository, tuple(self._changes.values()), theirs, number)
        process = self._context.Process(target=run_member, args=(inherited, to_close, (self._wake, self._waker)))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self._members[number] = _Member(number, process, own, time.monotonic())

    def _read(self, source: Any) -> None:
        if source == self._wake:
            os.read(self._wake, 64)
            return
        member = next((each for each in self._members.values() if each.pipe is source), None)
        if member is None:
            return  # the end of a process: `_loop` looks at all
        try:
            message: ToGroup = member.pipe.recv()
        except (EOFError, OSError):
            member.pipe.close()
            return
        self._take(member, message)

    def _take(self, member: _Member, message: ToGroup) -> None:
        match message:
            case Serving():
                self._serves(member)
            case Stuck():
                log.error("the engine of a process is stuck; it is replaced", extra=logs.fields(process=member.number))
                self._kill([member])
            case Answer(number, reply):
                if isinstance(reply, list):
                    member.metrics = reply
                self._exchange.answered(member, number, reply)
            case Question(_, MetricsWanted()):
                self._exchange.begin(self._gather(member, message.number))
            case Question(_, ModelChange()):
                self._waiting_changes.append((member, message))
                self._change_next()

    def _serves(self, member: _Member) -> None:
        member.is_serving = True
        if not self._has_served and all(each.is_serving for each in self._members.values()):
            self._has_served = True
            ports = {name: getattr(self._ports, name) for name in ("grpc_port", "http_port", "health_port")}
            known = {name: port for name, port in ports.items() if port is not None}
            extra = logs.fields(host=self._settings.host, **known, processes=self._settings.processes)
            log.info("serving", extra=extra)
        elif self._has_served:
            log.info("a process serves again", extra=logs.fields(process=member.number))

    def _bury(self, member: _Member) -> None:
        """Forgets a member that has ended, and plans its successor."""
        del self._members[member.number]
        member.pipe.close()
        status = member.process.exitcode
        member.process.close()
        self._ended = merged([self._ended, counts(member.metrics)])
        self._exchange.ended(member)
        if self._is_stopping:
            return
        if not self._has_served:
            log.error("a process ended before it served", extra=logs.fields(process=member.number, status=status))
            self._stop()
            return
        lived_s = time.monotonic() - member.started
        pause_s = 0.0 if lived_s > HEALTHY_S else self._pauses.get(member.number, FIRST_PAUSE_S)
        self._pauses[member.number] = FIRST_PAUSE_S if lived_s > HEALTHY_S else min(2 * pause_s, MAX_PAUSE_S)
        self._due[member.number] = time.monotonic() + pause_s
        self._num_replaced += 1
        told = logs.fields(process=member.number, status=status, lived_s=round(lived_s, 1), pause_s=pause_s)
        log.error("a process ended; another one takes its place", extra=told)

    def _stop(self) -> None:
        self._is_stopping = True
        self._due.clear()
        log.info("draining")
        for member in self._members.values():
            self._send(member, Drain())

    def _kill(self, members: Iterable[_Member]) -> None:
        for member in list(members):
            member.process.kill()

    def _send(self, member: _Member, message: ToMember) -> bool:
        try:
            member.pipe.send(message)
        except OSError:  # it has ended, or does not read
            self._kill([member])
            return False
        return True

    def _ask(self, member: Hashable, question: Question) -> bool:
        if not isinstance(member, _Member) or self._members.get(member.number) is not member:
            return False
        return self._send(member, question)

    def _gather(self, asker: _Member, number: int) -> Dialogue:
        """Answers a member's question for the metrics of all; of those that do not answer, the last known."""
        yield {member: MetricsWanted() for member in self._members.values()}
        members = list(self._members.values())
        together = merged([self._own(), self._ended, *(member.metrics for member in members)])
        if self._members.get(asker.number) is asker:
            self._send(asker, Answer(number, together))

    def _own(self) -> list[Metric]:
        return of_processes(sum(member.is_serving for member in self._members.values()), self._num_replaced)

    def _change_next(self) -> None:
        if self._waiting_changes and not self._is_changing:
            self._is_changing = True
            self._exchange.begin(self._change(*self._waiting_changes.pop(0)))

    def _change(self, asker: _Member, question: Question) -> Dialogue:
        """Changes the models of all members: of the one that was asked first, of the others if that succeeds."""
        asked = question.about
        if not isinstance(asked, ModelChange):
            raise TypeError("only models change")
        first = (yield {asker: asked})[asker]
        faults = []
        if isinstance(first, Changed) and not first.fault:
            # Members that start from now on are told; those that are there are asked.
            agreed = ModelChange(asked.kind, asked.name, first.version or asked.version)
            self._changes.pop(agreed.name, None)
            self._changes[agreed.name] = agreed
            replies = yield {member: agreed for member in self._members.values() if member is not asker}
            faults = [_fault(reply) for reply in replies.values() if reply is not None]
        fault = next((each for each in faults if each), "")
        if self._members.get(asker.number) is asker:
            self._send(asker, Answer(question.number, Changed(fault=fault)))
        self._is_changing = False
        self._change_next()


def _fault(reply: Reply) -> str:
    return reply.fault if isinstance(reply, Changed) else ""


def _limit_sends(pipe: Connection) -> None:
    """A send that the other side does not read fails after a while, instead of holding the group up."""
    with socket.socket(fileno=os.dup(pipe.fileno())) as each:
        seconds, microseconds = int(SEND_TIMEOUT_S), 0
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", seconds, microseconds))


def serve_in_processes(settings: Settings, configure_log: Callable[[], None]) -> int:
    """Runs a group. Returns the exit status.

    Raises:
        StartError: the system or the provider has no way to share, or a port is in use.
        ServiceError: a model that the settings name cannot be served.
    """
    configure_log()
    if sys.platform != "linux":
        raise StartError("processes: more than one needs Linux, whose kernel spreads connections over them")
    if settings.provider == "auto" and "CUDAExecutionProvider" in Runner.available_providers():
        raise StartError("processes: more than one needs provider = cpu; the weights on a GPU are not shared")
    return Group(settings).run()


def _document_directory(settings: Settings) -> Path | None:
    """Makes a folder for the documents of doors: whichever member translated one, another may be asked for it.

    Returns:
        None if there are no doors, or the settings name a folder.

    Raises:
        StartError: there is no place for a temporary folder.
    """
    if settings.document_directory is not None or not open_doors(settings):
        return None
    try:
        return Path(tempfile.mkdtemp(prefix="regard-documents-"))
    except OSError as error:
        raise StartError(f"document_directory: a temporary folder cannot be made: {error}") from error
