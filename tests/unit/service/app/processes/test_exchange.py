"""Questions to several members, whose answers come one by one, late or never."""

from collections.abc import Hashable

from regard_service.app.processes.exchange import METRICS_TIMEOUT_S, Dialogue, Exchange
from regard_service.app.processes.messages import Changed, MetricsWanted, ModelChange, Question, Reply


class Pipes:
    """Members that get questions; those in `gone` get none."""

    def __init__(self) -> None:
        self.asked: list[tuple[Hashable, int]] = []
        self.gone: set[Hashable] = set()
        self.now = 0.0
        self.exchange = Exchange(self._send, lambda: self.now)
        self.found: list[dict[Hashable, Reply]] = []

    def _send(self, member: Hashable, question: Question) -> bool:
        self.asked.append((member, question.number))
        return member not in self.gone

    def ask(self, *members: Hashable) -> None:
        self.exchange.begin(self._dialogue(members))

    def _dialogue(self, members: tuple[Hashable, ...]) -> Dialogue:
        self.found.append(dict((yield dict.fromkeys(members, MetricsWanted()))))

    def answer(self, at: int, reply: Reply) -> None:
        member, number = self.asked[at]
        self.exchange.answered(member, number, reply)


def test_a_dialogue_goes_on_when_all_have_answered() -> None:
    pipes = Pipes()
    pipes.ask("a", "b")
    pipes.answer(1, [])
    assert not pipes.found
    pipes.answer(0, Changed("1"))
    assert pipes.found == [{"b": [], "a": Changed("1")}]
    assert pipes.exchange.next_timeout_s() is None


def test_members_that_are_gone_end_or_are_late_answer_none() -> None:
    pipes = Pipes()
    pipes.gone.add("a")
    pipes.ask("a", "b", "c")
    pipes.exchange.ended("b")
    assert pipes.exchange.next_timeout_s() == METRICS_TIMEOUT_S
    pipes.now = METRICS_TIMEOUT_S
    pipes.exchange.expire()
    assert pipes.found == [{"a": None, "b": None, "c": None}]
    pipes.answer(2, [])  # too late


def test_questions_at_a_time_get_their_own_answers() -> None:
    pipes = Pipes()
    pipes.ask("a")
    pipes.ask("a")
    pipes.answer(1, Changed("second"))
    pipes.answer(0, Changed("first"))
    assert pipes.found == [{"a": Changed("second")}, {"a": Changed("first")}]


def test_a_dialogue_may_ask_again_and_nobody() -> None:
    pipes, results = Pipes(), []

    def dialogue() -> Dialogue:
        results.append(dict((yield {"a": ModelChange("load", "m", None)})))
        results.append(dict((yield {})))

    pipes.exchange.begin(dialogue())
    pipes.answer(0, Changed("1"))
    assert results == [{"a": Changed("1")}, {}]
