"""Questions of the group to its members: asked together, answered one by one, awaited by a generator.

The group is one thread without an event loop, so that it can fork. A `Dialogue` yields what it asks each member, and
gets the replies when all are there, or when time runs out.
"""

import time
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass, field

from regard_service.app.processes.messages import MetricsWanted, ModelChange, Question, Reply

About = MetricsWanted | ModelChange
Dialogue = Generator[Mapping[Hashable, About], Mapping[Hashable, Reply], None]

METRICS_TIMEOUT_S = 2.0  # a member that does not answer is replaced by its watchdog
CHANGE_TIMEOUT_S = 600.0  # reading a large model from a slow disk


@dataclass
class _Round:
    """What a dialogue has asked last."""

    dialogue: Dialogue
    waiting: dict[int, Hashable]
    until: float
    replies: dict[Hashable, Reply] = field(default_factory=dict)


class Exchange:
    """The dialogues that wait for replies.

    Args:
        send: sends a question to a member; False if the member is gone.
    """

    def __init__(self, send: Callable[[Hashable, Question], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._clock = clock
        self._number = 0
        self._rounds: list[_Round] = []

    def begin(self, dialogue: Dialogue) -> None:
        """Runs a dialogue to its first question."""
        self._advance(dialogue, None)

    def answered(self, member: Hashable, number: int, reply: Reply) -> None:
        """Takes a member's reply; late ones are dropped."""
        for each in self._rounds:
            if each.waiting.get(number) == member:
                del each.waiting[number]
                each.replies[member] = reply
                self._finish_if_complete(each)
                return

    def ended(self, member: Hashable) -> None:
        """Answers None for a member that has ended."""
        for each in list(self._rounds):
            numbers = [number for number, other in each.waiting.items() if other == member]
            for number in numbers:
                self.answered(member, number, None)

    def expire(self) -> None:
        """Answers None for members that are late."""
        now = self._clock()
        for each in [each for each in self._rounds if each.until <= now]:
            each.replies |= dict.fromkeys(each.waiting.values())
            each.waiting.clear()
            self._finish_if_complete(each)

    def next_timeout_s(self) -> float | None:
        """The time until `expire` has something to do; None: nothing waits."""
        times = [each.until - self._clock() for each in self._rounds]
        return max(0.0, min(times)) if times else None

    def _finish_if_complete(self, each: _Round) -> None:
        if not each.waiting:
            self._rounds.remove(each)
            self._advance(each.dialogue, each.replies)

    def _advance(self, dialogue: Dialogue, replies: Mapping[Hashable, Reply] | None) -> None:
        try:
            asked = next(dialogue) if replies is None else dialogue.send(replies)
        except StopIteration:
            return
        is_change = any(isinstance(about, ModelChange) for about in asked.values())
        timeout_s = CHANGE_TIMEOUT_S if is_change else METRICS_TIMEOUT_S
        new = _Round(dialogue, {}, self._clock() + timeout_s)
        for member, about in asked.items():
            self._number += 1
            if self._send(member, Question(self._number, about)):
                new.waiting[self._number] = member
            else:
                new.replies[member] = None
        self._rounds.append(new)
        self._finish_if_complete(new)
