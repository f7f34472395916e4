"""What the system says about a running process, and where it may run. Linux only: elsewhere the answers are None."""

import os
from collections.abc import Iterable
from contextlib import suppress
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


def num_threads(process_id: int) -> int | None:
    """Threads of a process."""
    return _status(process_id, "Threads")


def num_open_files(process_id: int) -> int | None:
    """Files, sockets and pipes that a process has open."""
    try:
        return len(os.listdir(f"/proc/{process_id}/fd"))
    except OSError:
        return None


def cpu_seconds(process_id: int) -> float | None:
    """CPU time that a process has used so far, user and system, all threads."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()  # a name may hold blanks; fields count from the third
    user, system = int(after_name[11]), int(after_name[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def _status(process_id: int, name: str) -> int | None:
    """A number of a process's status."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
