"""What the system says about a running process, and where it may run. Linux only: elsewhere the answers are None."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def pin(cores: Iterable[int]) -> None:
    """Keeps this process, and those it starts from now on, on these cores.

    Raises:
        OSError: there are no such cores.
    """
    wanted = set(cores)
    for task in Path("/proc/self/task").iterdir():  # libraries have threads of their own by now
        with suppress(ProcessLookupError):  # a thread that has ended since
            os.sched_setaffinity(int(task.name), wanted)


def resident_mb(process_id: int) -> float | None:
    """Memory of a process that is in RAM, in MB (10^6 bytes)."""
    kib = _status(process_id, "VmRSS")
    return None if kib is None else kib * 1024 / 1e6


def thread_names(process_id: int) -> list[str] | None:
    """The name of each thread of a process; several may have the same one, and the system keeps 15 characters of it."""
    try:
        tasks = list(Path(f"/proc/{process_id}/task").iterdir())
    except OSError:
        return None
    names = []
    for task in tasks:
        with suppress(OSError):  # a thread that has ended since
            names.append((task / "comm").read_text().strip())
    return names


def num_open_files(process_id: int) -> int | None:
    """Files, sockets and pipes that a process has open."""
    try:
        return len(os.listdir(f"/proc/{process_id}/fd"))
    except OSError:
        return None


def family(process_id: int) -> list[int]:
    """A process and those that it started, and they."""
    parents = {int(entry.name): _parent(int(entry.name)) for entry in Path("/proc").glob("[0-9]*")}
    found = [process_id]
    for member in found:  # grows on the way
        found += [child for child, parent in parents.items() if parent == member]
    return found


@contextmanager
def suspended(process_id: int) -> Iterator[None]:
    """Stops a process and its descendants meanwhile, since some poll while they have nothing to do."""
    _signal(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(process_id, signal.SIGCONT)


@contextmanager
def resumed(process_id: int) -> Iterator[None]:
    """Lets a suspended process and its descendants run meanwhile."""
    _signal(process_id, signal.SIGCONT)
    try:
        yield
    finally:
        _signal(process_id, signal.SIGSTOP)


def _signal(process_id: int, number: signal.Signals) -> None:
    for member in family(process_id):
        os.kill(member, number)


def cpu_seconds(process_id: int) -> float | None:
    """CPU time that a process has used so far, user and system, all threads."""
    stat = _stat(process_id)
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK") if stat else None


def _parent(process_id: int) -> int | None:
    stat = _stat(process_id)
    return int(stat[1]) if stat else None


def _stat(process_id: int) -> list[str]:
    """The fields of a process's stat from the third on; empty if there is no such process."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()  # a name may hold blanks
    except OSError:
        return []


def _status(process_id: int, name: str) -> int | None:
    """A number of a process's status."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
