"""A cluster of Ray, of two CPUs and this machine alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """Returns the address of its head."""
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def processes_named(title: str) -> list[int]:
    """The processes whose title, which Ray sets, begins so."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:  # it has ended since
            continue
        if line.startswith(title.encode()):
            found.append(int(entry.name))
    return found
