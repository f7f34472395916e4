"""Limits the memory of a process by a control group, as containers do: what is resident counts, not what is mapped.

`ulimit -v` would count the addresses of weights that are mapped and of buffers that are never touched; RLIMIT_DATA the
stacks of threads.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
REMOVING_PATIENCE_S = 5.0


class NoMemoryLimit(Exception):
    """This system lets nobody make a control group here."""


@dataclass(frozen=True)
class MemoryGroup:
    """A control group.

    Attributes:
        folder: under /sys/fs/cgroup.
        peak_file: of version 1 or 2.
    """

    folder: Path
    peak_file: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """A command that runs another one in the group: memory counts where it was when it was taken."""
        return ("sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh")

    def peak_bytes(self) -> int:
        """The most memory that the group has had, with the pages of files."""
        return int((self.folder / self.peak_file).read_text())


@contextmanager
def memory_group(max_bytes: int) -> Iterator[MemoryGroup]:
    """Makes a control group with a limit, and removes it.

    Raises:
        NoMemoryLimit: the system does not let this process make one.
    """
    name = f"regard-hostile-{os.getpid()}"
    for folder, limit_file, peak_file in (
        (ROOT / "memory" / name, "memory.limit_in_bytes", "memory.max_usage_in_bytes"),  # version 1
        (ROOT / name, "memory.max", "memory.peak"),  # version 2
    ):
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            if not (folder / limit_file).exists():
                continue
            (folder / limit_file).write_text(f"{max_bytes}")
            yield MemoryGroup(folder, peak_file)
            return
        finally:
            _remove(folder)
    raise NoMemoryLimit("no control group for memory can be made under /sys/fs/cgroup; run it in a container")


def _remove(folder: Path) -> None:
    """Removes a group once its last process has ended."""
    end = time.monotonic() + REMOVING_PATIENCE_S
    while folder.exists() and time.monotonic() < end:
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.05)
