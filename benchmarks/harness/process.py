"""Reads a process's memory, files, threads and CPU time, and controls where and when it runs.

Reads /proc, which only Linux has; elsewhere readings are None.
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_WAIT_S = 60.0  # for a process to obey a signal


def pin_to_cores(cores: Iterable[int]) -> None:
    """Pins this process, and processes that it starts later, to these cores.

    Raises:
        OSError: the machine lacks one of the cores.
    """
    allowed = set(cores)
    for task in Path("/proc/self/task").iterdir():  # libraries have already started threads
        with suppress(ProcessLookupError):  # the thread has ended since
            os.sched_setaffinity(int(task.name), allowed)


def resident_mb(process_id: int) -> float | None:
    """Resident memory of a process, in MB (10^6 bytes)."""
    kib = _status(process_id, "VmRSS")
    return None if kib is None else kib * 1024 / 1e6


def proportional_mb(process_id: int) -> float | None:
    """Proportional memory (PSS) of a process and its descendants, in MB: pages that several share count in parts."""
    total = 0
    for member in process_family(process_id):
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        except OSError:
            return None
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total * 1024 / 1e6


def thread_names(process_id: int) -> list[str] | None:
    """Names of a process's threads, truncated by the system to 15 characters; threads may share a name."""
    try:
        tasks = list(Path(f"/proc/{process_id}/task").iterdir())
    except OSError:
        return None
    names = []
    for task in tasks:
        with suppress(OSError):  # the thread has ended since
            names.append((task / "comm").read_text().strip())
    return names


def num_open_files(process_id: int) -> int | None:
    """Number of files, sockets and pipes that a process has open."""
    try:
        return len(os.listdir(f"/proc/{process_id}/fd"))
    except OSError:
        return None


def process_family(process_id: int) -> list[int]:
    """A process and all its descendants."""
    parents = {int(entry.name): _parent(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")}
    found = [process_id]
    for member in found:  # the loop also visits what it appends
        found += [child for child, parent in parents.items() if parent == member]
    return found


@contextmanager
def suspended(process_id: int) -> Iterator[None]:
    """Stops a process and its descendants within the context: idle servers may poll."""
    _signal(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(process_id, signal.SIGCONT)


@contextmanager
def resumed(process_id: int) -> Iterator[None]:
    """Lets a suspended process and its descendants run within the context."""
    _signal(process_id, signal.SIGCONT)
    try:
        yield
    finally:
        _signal(process_id, signal.SIGSTOP)


def _signal(process_id: int, number: signal.Signals) -> None:
    """Signals a process and its descendants, and waits until they stand still or go on: a busy system takes a while."""
    members = process_family(process_id)
    for member in members:
        os.kill(member, number)
    deadline = time.monotonic() + MAX_WAIT_S
    while any(_is_stopped(member) is (number != signal.SIGSTOP) for member in members):
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {process_id} has not obeyed {number.name} for {MAX_WAIT_S:g} s")
        time.sleep(0.001)


def _is_stopped(process_id: int) -> bool | None:
    """Whether a process is stopped; None if it has ended."""
    stat = _stat(process_id)
    return stat[0] in "Tt" if stat and stat[0] not in "ZX" else None


def cpu_seconds(process_id: int) -> float | None:
    """CPU time that all threads of a process have used so far, user and system."""
    stat = _stat(process_id)
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK") if stat else None


def _parent(process_id: int) -> int | None:
    stat = _stat(process_id)
    return int(stat[1]) if stat else None


def _stat(process_id: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on; empty if the process does not exist."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()  # names may contain blanks
    except OSError:
        return []


def _status(process_id: int, name: str) -> int | None:
    """A number from /proc/PID/status."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
