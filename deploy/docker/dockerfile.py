"""Reads a Dockerfile: its stages, and their instructions with flags and arguments."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Instruction:
    """One instruction, continued lines joined.

    Attributes:
        flags: what stands before the arguments as `--name=value`.
        text: the rest, as written.
    """

    keyword: str
    flags: dict[str, str]
    text: str

    def words(self) -> list[str]:
        """The arguments: a JSON array, or what a shell would make of the words."""
        try:
            return [str(word) for word in json.loads(self.text)]
        except ValueError:
            return shlex.split(self.text)

    def pairs(self) -> dict[str, str]:
        """The arguments of ENV and LABEL: `key=value key=value`."""
        return dict(word.split("=", 1) for word in self.words())


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next.

    Attributes:
        base: an image, or the name of an earlier stage.
    """

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def needs(self) -> set[str]:
        """Stages and images that this one is made from."""
        return {self.base} | {i.flags["from"] for i in self.instructions if "from" in i.flags}


def read(text: str) -> list[Stage]:
    """The stages in order.

    Raises:
        ValueError: an instruction stands before the first FROM.
    """
    stages: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.keyword == "FROM":
            base, *named = instruction.words()
            stages.append(Stage(named[1] if named else str(len(stages)), base, ()))
        elif stages:
            last = stages[-1]
            stages[-1] = Stage(last.name, last.base, (*last.instructions, instruction))
        else:
            raise ValueError(f"{instruction.keyword} before the first FROM")
    return stages


def needed(stages: Sequence[Stage], target: str) -> list[Stage]:
    """The stages that a target is made from, itself last."""
    by_name = {stage.name: stage for stage in stages}
    wanted, waiting = set(), [target]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            waiting += by_name[name].needs()
    return [stage for stage in stages if stage.name in wanted]


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in _logical(lines):
        keyword, rest = line.split(None, 1)
        flags = {}
        while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        yield Instruction(keyword.upper(), flags, rest.strip())


def _logical(lines: Sequence[str]) -> Iterator[str]:
    """Lines with those that continue them; empty ones left out."""
    joined = ""
    for line in lines:
        joined += line.rstrip()
        if joined.endswith("\\"):
            joined = joined[:-1]
        elif joined.strip():
            yield joined.strip()
            joined = ""
