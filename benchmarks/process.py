"""What the system says about a running process. Linux only: elsewhere the answers are None."""

import os
from pathlib import Path


def resident_mb(process_id: int) -> float | None:
    """Memory of a process that is in RAM, in MB (10^6 bytes)."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return None
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return None if kib is None else int(kib) * 1024 / 1e6


def cpu_seconds(process_id: int) -> float | None:
    """CPU time that a process has used so far, user and system, all threads."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()  # a name may hold blanks; fields count from the third
    user, system = int(after_name[11]), int(after_name[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")
