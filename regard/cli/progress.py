"""The progress bar of a bulk run, on standard error."""

import os
import stat
from types import TracebackType
from typing import BinaryIO, Self

import rich.progress
from rich.console import Console
from rich.text import Text


class _Rate(rich.progress.ProgressColumn):
    """Lines done, lines a second, and how many failed."""

    def render(self, task: rich.progress.Task) -> Text:
        done, failed = task.fields["done"], task.fields["failed"]
        rate = done / task.elapsed if task.elapsed else 0.0
        line = Text(f"{done} lines, {rate:.1f}/s")
        if failed:
            line.append(f", {failed} failed", "red")
        return line


class Progress:
    """A bar over the bytes of a file; for a pipe, whose length nobody knows, a count."""

    def __init__(self, stream: BinaryIO, shown: bool) -> None:
        self._bar = rich.progress.Progress(
            rich.progress.SpinnerColumn(),
            rich.progress.BarColumn(),
            _Rate(),
            rich.progress.TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True),
            redirect_stdout=False,  # the results are no part of the display
            disable=not shown,
        )
        self._done = self._failed = 0
        self._task = self._bar.add_task("", total=_size(stream), done=0, failed=0)

    def advance(self, num_bytes: int, failed: bool) -> None:
        """Counts a line of that many bytes, its end not counted."""
        self._done += 1
        self._failed += failed
        self._bar.update(self._task, advance=num_bytes + 1, done=self._done, failed=self._failed)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _size(stream: BinaryIO) -> int | None:
    """Bytes that are left to read in a file; None for what is not one."""
    try:
        status = os.fstat(stream.fileno())
        return status.st_size - stream.tell() if stat.S_ISREG(status.st_mode) else None
    except OSError:
        return None
