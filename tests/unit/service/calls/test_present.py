"""Who has had a call lately."""

from regard_service.calls.present import STAY_S, PresentCallers


def test_callers_are_there_for_a_while_after_their_last_call() -> None:
    now = 0.0
    present = PresentCallers(lambda: now)
    assert not present.has_several()
    assert not present.has_others("one")
    present.meet("one")
    assert not present.has_others("one")
    assert present.has_others("two"), "who has had no call yet is beside one who has"
    now = STAY_S
    present.meet("two")
    assert present.has_several()
    assert present.has_others("one")
    now = 1.5 * STAY_S
    assert not present.has_several()
    assert not present.has_others("two")
    assert present.has_others("one")
