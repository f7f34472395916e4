"""Details of gRPC errors, readable or not; tests/integration/test_client.py has the statuses."""

import grpc

from regard.errors import Overloaded, ServerFault
from regard.errors.statuses import from_rpc_error


class FakeRpcError(grpc.RpcError):
    def __init__(
        self, code: grpc.StatusCode, details: str | None, metadata: tuple[tuple[str, bytes], ...] | None
    ) -> None:
        self._values = (code, details, metadata)

    def code(self) -> grpc.StatusCode:
        return self._values[0]

    def details(self) -> str | None:
        return self._values[1]

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...] | None:  # type: ignore[override]  # stub lacks None
        return self._values[2]


def test_an_error_with_unreadable_details_has_its_status() -> None:
    metadata = (("grpc-status-details-bin", b"\xff\xff"),)
    error = from_rpc_error(FakeRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", metadata))
    assert isinstance(error, Overloaded)
    assert (str(error), error.retry_after_s, error.violations) == ("full", None, ())


def test_an_error_without_message_and_details_has_its_status() -> None:
    error = from_rpc_error(FakeRpcError(grpc.StatusCode.UNKNOWN, None, None))
    assert isinstance(error, ServerFault)
    assert str(error) == "UNKNOWN"
    assert error.to_dict() == {"code": "UNKNOWN", "reason": "", "message": "", "violations": []}
