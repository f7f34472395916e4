"""The number of cores that this process may use."""

import math
import os
from pathlib import Path


def cpu_limit() -> int:
    """Returns the cgroup's limit or the number of cores in the process' affinity, whichever is less; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.floor(min(affinity, cgroup_cores(Path("/sys/fs/cgroup")))))


def cgroup_cores(root: Path) -> float:
    """Returns the CPU quota of cgroup version 2 or 1, in cores; infinite without a quota."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    return math.inf if quota in ("max", "-1") else int(quota) / int(period)
