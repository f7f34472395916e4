"""Answers over HTTP that nobody reads."""

from regard_service.http.unread_answers import PATIENCE_S, UnreadAnswers

MIB = 2**20


class Connection:
    """A connection with a full send buffer."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.is_closed = False

    def get_write_buffer_size(self) -> int:
        return self.size

    def abort(self) -> None:
        self.is_closed = True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_longest_unread_give_way_and_no_more_than_need_be() -> None:
    answers = UnreadAnswers(100 * MIB)
    connections = [Connection(30 * MIB) for _ in range(5)]
    for each in connections:
        answers.add(each)
    assert [each.is_closed for each in connections] == [True, True, False, False, False]


def test_who_has_not_read_for_long_gives_way_at_half_of_it() -> None:
    clock = Clock()
    answers = UnreadAnswers(100 * MIB, clock)
    old, read, new = Connection(30 * MIB), Connection(30 * MIB), Connection(30 * MIB)
    answers.add(old)
    answers.add(read)
    answers.remove(read)
    clock.now += PATIENCE_S + 1
    answers.add(new)
    assert (old.is_closed, read.is_closed, new.is_closed) == (True, False, False)


def test_a_lone_answer_may_have_any_size() -> None:
    answers, large = UnreadAnswers(MIB), Connection(50 * MIB)
    answers.add(large)
    assert not large.is_closed
