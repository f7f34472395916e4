from collections.abc import Iterator

import pytest

from regard_export.resources.threads import half_of_torch_threads


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Tiny products on several threads mostly wait for each other, for minutes if the machine is busy."""
    with half_of_torch_threads():
        yield
