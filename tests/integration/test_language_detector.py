"""The language detector of a running server is read before the first text needs it."""

import pytest

from regard_service.app.settings import Settings
from regard_service.languages import detection
from tests.integration.conftest import running
from tests.waiting import wait_until


def _number_of_reads() -> int:
    return detection._detector.cache_info().currsize


@pytest.mark.parametrize(
    ("model", "checks", "count"), [("everyday", True, 1), ("everyday", False, 0), ("flickr8k", True, 0)]
)
def test_a_server_reads_the_detector_where_a_model_translates(model: str, *, checks: bool, count: int) -> None:
    detection._detector.cache_clear()
    with running(Settings(grpc_port=0, http_port=0, models=(model,), check_language=checks)):
        if count:
            wait_until(lambda: _number_of_reads() == count)
        assert _number_of_reads() == count
