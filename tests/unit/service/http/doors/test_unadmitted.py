"""Bodies that are read for their token are bounded, together and by address."""

import pytest

from regard_service.errors import Overloaded
from regard_service.http.doors.unadmitted import UnadmittedBodies


def test_one_address_has_half_and_all_have_the_whole() -> None:
    bodies = UnadmittedBodies(100)
    with bodies.counted("a") as grow:
        grow(50)
        with pytest.raises(Overloaded):
            grow(1)
        with bodies.counted("b") as other:
            other(30)
            with bodies.counted("c") as third, pytest.raises(Overloaded):
                third(21)


def test_what_was_counted_is_forgotten_with_its_request() -> None:
    bodies = UnadmittedBodies(100)
    for _ in range(10):
        with bodies.counted("a") as grow:
            grow(40)
            with pytest.raises(Overloaded):
                grow(40)
    with bodies.counted("a") as grow:
        grow(50)
