"""Shows on standard error which stage of a command runs, and how long each stage took."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console

from regard_export.errors import ExportError
from regard_service.bundle import BundleError

TERMINATION_SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # beside Control-C, which Python handles
SUCCESS_MARK, FAILURE_MARK = "[green]✓[/green]", "[red]✗[/red]"


class Progress:
    """The stages of a command."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("")
        self._title = ""
        self._started = time.monotonic()

    def stage(self, title: str) -> None:
        """Ends the current stage, if any, and begins another."""
        self._end(SUCCESS_MARK)
        self._title, self._started = title, time.monotonic()
        self._status.update(title)

    def _end(self, mark: str) -> None:
        if self._title:
            self._console.print(f"{mark} {self._title} [dim]{time.monotonic() - self._started:.1f} s[/dim]")
        self._title = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Shows the stages of the block; an expected error ends the command with its message.

        Raises:
            click.ClickException: in place of the expected error.
        """
        try:
            with self._status, _exit_on_termination():
                yield
            self._end(SUCCESS_MARK)
        except (ExportError, BundleError, OSError) as error:  # OSError: a full disk, permissions
            self._end(FAILURE_MARK)
            raise click.ClickException(str(error)) from error
        except MemoryError as error:
            self._end(FAILURE_MARK)
            raise click.ClickException("there is not enough memory for this model") from error


@contextmanager
def _exit_on_termination() -> Iterator[None]:
    """Turns termination signals into SystemExit, so that the command removes unfinished files.

    Signals that the process ignores stay ignored.
    """

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in TERMINATION_SIGNALS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
