"""What a process has used: processor time and memory, as Linux counts them."""

import os
from pathlib import Path

MIB = 2**20


def cpu_s(pid: int) -> float:
    """Returns the processor time of a process, all of its threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid: int) -> int:
    """Returns the most memory that a process has had resident."""
    return _status(pid, "VmHWM")


def resident_bytes(pid: int) -> int:
    """Returns the memory that a process has resident."""
    return _status(pid, "VmRSS")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
