"""The progress bar of a bulk run, on standard error."""

import os
import stat
from types import TracebackType
from typing import BinaryIO, Self

import rich.progress
from rich.console import Console
from rich.text import Text


class _Rate(rich.progress.ProgressColumn):
    """Lines done, lines per second, and failed lines."""

    def render(self, task: rich.progress.Task) -> Text:
        num_done, num_failed = task.fields["num_done"], task.fields["num_failed"]
        rate = num_done / task.elapsed if task.elapsed else 0.0
        line = Text(f"{num_done} lines, {rate:.1f}/s")
        if num_failed:
            line.append(f", {num_failed} failed", "red")
        return line


class Progress:
    """A bar over the bytes of a file; for a pipe, whose length is unknown, a count."""

    def __init__(self, stream: BinaryIO, is_shown: bool) -> None:
        self._bar = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.BarColumn(),
            _Rate(),
            rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
            redirect_stdout=False,  # results on standard output are not part of the display
            disable=not is_shown,
        )
        self._num_done = self._num_failed = 0
        self._task = self._bar.add_task("", total=_size(stream), num_done=0, num_failed=0)

    def advance(self, num_bytes: int, is_failed: bool) -> None:
        """Counts a line of `num_bytes` bytes and its line end."""
        self._num_done += 1
        self._num_failed += is_failed
        self._bar.update(self._task, advance=num_bytes + 1, num_done=self._num_done, num_failed=self._num_failed)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _size(stream: BinaryIO) -> int | None:
    """The bytes left to read of a regular file; None for anything else."""
    try:
        status = os.fstat(stream.fileno())
        return status.st_size - stream.tell() if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None
