"""Status codes as metrics' labels."""

import pytest
from grpc import StatusCode

from regard_service.rpc.layers.status_codes import code_label


@pytest.mark.parametrize(
    ("code", "label"),
    [
        (StatusCode.OK, "OK"),
        (StatusCode.CANCELLED, "Canceled"),
        (StatusCode.INVALID_ARGUMENT, "InvalidArgument"),
        (StatusCode.DEADLINE_EXCEEDED, "DeadlineExceeded"),
        (StatusCode.UNIMPLEMENTED, "Unimplemented"),
    ],
)
def test_codes_are_written_as_in_go(code: StatusCode, label: str) -> None:
    assert code_label(code) == label
