"""Errors as statuses: codes, details, and the limit of the trailers."""

import string

import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from regard_service.convert.status import INTERNAL_MESSAGE, write_status
from regard_service.errors import FieldViolation, InvalidInput, LoadFailed, ModelNotFound, Overloaded, ServiceError

MAX_TRAILERS = 8192  # the clients' default limit


class Unlisted(ModelNotFound):
    """An error outside of the table, whose parent is in it."""


def test_a_subclass_has_its_parents_status() -> None:
    assert write_status(Unlisted("no")).code is StatusCode.NOT_FOUND


@pytest.mark.parametrize("error", [KeyError("secret"), ServiceError("secret"), ValueError()])
def test_errors_outside_of_the_table_are_internal_and_reveal_nothing(error: Exception) -> None:
    status = write_status(error)
    assert (status.code, status.message, status.reason) == (StatusCode.INTERNAL, INTERNAL_MESSAGE, "INTERNAL")
    assert b"secret" not in status.details


def test_every_error_of_the_tree_has_its_own_reason() -> None:
    kinds: list[type[ServiceError]] = [ServiceError, *ServiceError.__subclasses__()]
    reasons = [kind.reason for kind in kinds]
    assert len(set(reasons)) == len(reasons)
    assert all(set(reason) <= set(string.ascii_uppercase + "_") for reason in reasons)


def test_retry_info_has_the_delay() -> None:
    status = status_pb2.Status.FromString(write_status(Overloaded("full", 0.25)).details)
    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 250


@given(st.lists(st.builds(FieldViolation, st.text(max_size=40), st.text(max_size=400)), min_size=1, max_size=300))
def test_any_violations_fit_into_the_trailers(violations: list[FieldViolation]) -> None:
    status = write_status(InvalidInput(violations))
    on_the_wire = 3 * len(status.message.encode()) + len(status.details) * 4 / 3  # percent-encoded; base64
    assert on_the_wire < MAX_TRAILERS
    bad_request = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(status.details).details[1].Unpack(bad_request)
    listed = bad_request.field_violations
    assert len(listed) == len(violations) or listed[-1].description.endswith("more violations")


@given(st.lists(st.text(max_size=3000), min_size=1, max_size=100))
def test_the_reasons_of_a_refused_bundle_fit_into_the_trailers(reasons: list[str]) -> None:
    status = write_status(LoadFailed("everyday", tuple(reasons)))
    assert (status.code, status.reason) == (StatusCode.FAILED_PRECONDITION, "LOAD_FAILED")
    failure = error_details_pb2.PreconditionFailure()
    assert status_pb2.Status.FromString(status.details).details[1].Unpack(failure)
    assert 4 * len(status.details) / 3 + 3 * len(status.message.encode()) < MAX_TRAILERS  # base64, percent-encoding
    assert len(failure.violations) == len(reasons) or failure.violations[-1].description.endswith("more reasons")
