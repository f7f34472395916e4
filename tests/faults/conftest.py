"""How long the server takes to recover: `pytest tests/faults --recovery` prints it for every fault."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

Recovery = Callable[[], AbstractContextManager[None]]

PROPERTY = "recovery_s"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--recovery", action="store_true", help="print seconds from each fault to the next right answer")


@pytest.fixture
def recovery(record_property: Callable[[str, object], None]) -> Recovery:
    """Times a block that begins where the fault ends, and ends once a call has got the right answer."""

    @contextmanager
    def timed() -> Iterator[None]:
        begin = time.monotonic()
        yield
        record_property(PROPERTY, time.monotonic() - begin)

    return timed


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--recovery", default=False):
        return
    terminalreporter.section("seconds from the fault's end to a right answer, the longest of each test")
    for report in terminalreporter.getreports("passed"):
        times = [float(str(value)) for name, value in report.user_properties if name == PROPERTY]
        if report.when == "call" and times:
            terminalreporter.write_line(f"{max(times):8.3f}  {report.nodeid.rpartition('::')[2]}")
