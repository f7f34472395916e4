"""What the group and its members send each other, pickled, through a pipe."""

from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import Metric


@dataclass(frozen=True)
class Serving:
    """A member serves."""


@dataclass(frozen=True)
class Stuck:
    """A member's engine is stuck in a step; its process has to be replaced."""


@dataclass(frozen=True)
class Drain:
    """The group stops: members finish their calls and end."""


@dataclass(frozen=True)
class MetricsWanted:
    """To a member: those of its own process. To the group: those of all."""


@dataclass(frozen=True)
class ModelChange:
    """A model to load or to unload.

    Attributes:
        version: None takes the newest, or whichever is loaded.
    """

    kind: Literal["load", "unload"]
    name: str
    version: str | None


@dataclass(frozen=True)
class Question:
    """A question; the answer has the same number. Each side of a pipe counts its own."""

    number: int
    about: MetricsWanted | ModelChange


@dataclass(frozen=True)
class Changed:
    """What came of a change in a process.

    Attributes:
        version: that was loaded.
        fault: why the change failed; "" if it did not.
    """

    version: str | None = None
    fault: str = ""


Reply = list[Metric] | Changed | None
"""Metrics, the result of a change, or None from a process that ended or did not answer in time."""


@dataclass(frozen=True)
class Answer:
    """The answer to the question of this number."""

    number: int
    reply: Reply


ToMember = Drain | Question | Answer
ToGroup = Serving | Stuck | Question | Answer
