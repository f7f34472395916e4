"""Which lane a request gets, beside those of other callers."""

from hypothesis import given
from hypothesis import strategies as st

from regard_service.engine.core.request import RequestState
from regard_service.engine.policy.lane import Lane
from regard_service.engine.policy.lanes import MAX_LANES, MAX_OF_SHAPE
from tests.unit.service.engine.fake_runner import FakeRunner
from tests.unit.service.engine.policy.test_policy import NOW, Bench, request

MAX_SLOTS = 32
FEW = 16  # of 32 rows


def lane_of(bench: Bench, state: RequestState) -> Lane:
    lane = bench.policy.lane(bench.runner, state.request)
    bench.policy.submit(state, lane)
    return lane


def lanes_of(bench: Bench, caller: str, number: int, *, beams: int = 1) -> list[Lane]:
    return [lane_of(bench, request(caller=caller, beams=beams)) for _ in range(number)]


def test_a_lone_caller_has_one_lane_whatever_he_sends() -> None:
    assert len(set(lanes_of(Bench(max_slots=MAX_SLOTS), "alone", 200))) == 1


def test_callers_of_few_share_a_lane() -> None:
    bench = Bench(max_slots=MAX_SLOTS)
    assert len({lane for number in range(50) for lane in lanes_of(bench, f"caller {number}", FEW)}) == 1


def test_who_comes_to_a_caller_of_many_has_another_lane_which_the_next_ones_share() -> None:
    bench = Bench(max_slots=MAX_SLOTS)
    (many,) = set(lanes_of(bench, "many", 100))
    (few,) = {*lanes_of(bench, "one", 1), *lanes_of(bench, "two", 2)}
    assert few is not many
    assert set(lanes_of(bench, "many", 100)) == {many}


def test_a_caller_who_becomes_one_of_many_leaves_the_others_lane() -> None:
    bench = Bench(max_slots=MAX_SLOTS)
    (few,) = set(lanes_of(bench, "one", 1))
    lanes = lanes_of(bench, "many", 40)
    assert lanes[:FEW] == [few] * FEW
    assert len(set(lanes[FEW:])) == 1
    assert few not in lanes[FEW:]


def test_with_beams_fewer_requests_are_many() -> None:
    bench = Bench(max_slots=MAX_SLOTS)
    (many,) = set(lanes_of(bench, "many", 4, beams=5))
    assert lanes_of(bench, "one", 1, beams=5) != [many]


def test_who_has_many_over_all_lanes_has_many_in_each() -> None:
    """Eight requests of each of 16 beam widths are few in any lane, and would share a batch with everybody's."""
    bench = Bench(max_slots=MAX_SLOTS)
    greedy = {lane for beams in range(1, 9) for lane in lanes_of(bench, "many", 8, beams=beams)}
    assert not greedy & {lane for beams in (1, 2, 3) for lane in lanes_of(bench, "one", 1, beams=beams)}
    assert set(lanes_of(bench, "many", 8, beams=2)) <= greedy


def test_lanes_of_a_shape_are_few_though_those_in_them_come_to_have_many_elsewhere() -> None:
    bench = Bench(max_slots=MAX_SLOTS)
    for number in range(3 * MAX_OF_SHAPE):
        lanes_of(bench, f"caller {number}", 1)
        lanes_of(bench, f"caller {number}", 40, beams=2)
    assert sum(lane.shape.num_beams == 1 for lane in bench.policy.lanes) <= MAX_OF_SHAPE


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 40)), max_size=30))
def test_callers_of_few_share_with_nobody_of_many_however_many_those_are(sent: list[tuple[str, int]]) -> None:
    bench = Bench(max_slots=MAX_SLOTS)
    for caller, number in sent:
        lanes_of(bench, caller, number)
    assert len(bench.policy.lanes) <= MAX_OF_SHAPE
    (lane,) = set(lanes_of(bench, "late", 1))
    others = [number for caller, number in lane.callers.items() if caller != "late"]
    assert max(others, default=0) <= FEW


def test_lanes_without_requests_are_few() -> None:
    bench = Bench(max_slots=1)
    for length in range(1, 3 * MAX_LANES):
        runner, state = FakeRunner(), request(1 + length % 30)
        bench.submit(state, runner=runner)
        work = bench.step()
        bench.finish(work, [state])
        bench.policy.drop_unused()
    assert len(bench.policy.lanes) <= MAX_LANES
    assert bench.policy.decide(NOW, 0).work is None
