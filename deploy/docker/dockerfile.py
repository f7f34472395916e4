"""Parses a Dockerfile into stages and instructions."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Instruction:
    """One instruction, with continuation lines joined.

    Attributes:
        flags: the flags `--name=value` before the arguments.
        text: the arguments as written.
    """

    keyword: str
    flags: dict[str, str]
    text: str

    def words(self) -> list[str]:
        """The arguments: a JSON array, or words split as by a shell."""
        try:
            return [str(word) for word in json.loads(self.text)]
        except ValueError:
            return shlex.split(self.text)

    def pairs(self) -> dict[str, str]:
        """The arguments of ENV and LABEL, written as `key=value key=value`."""
        return dict(word.split("=", 1) for word in self.words())


@dataclass(frozen=True)
class Stage:
    """A FROM and the instructions up to the next FROM.

    Attributes:
        base: name of an image or of an earlier stage.
    """

    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def needs(self) -> set[str]:
        """Names of the stages and images that this stage uses."""
        return {self.base} | {i.flags["from"] for i in self.instructions if "from" in i.flags}


def read(text: str) -> list[Stage]:
    """Parses the stages in order.

    Raises:
        ValueError: an instruction precedes the first FROM.
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
    """The stages that a target depends on, and the target last."""
    by_name = {stage.name: stage for stage in stages}
    chosen, waiting = set(), [target]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in chosen:
            chosen.add(name)
            waiting += by_name[name].needs()
    return [stage for stage in stages if stage.name in chosen]


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
    """Joins continuation lines; drops empty lines."""
    joined = ""
    for line in lines:
        joined += line.rstrip()
        if joined.endswith("\\"):
            joined = joined[:-1]
        elif joined.strip():
            yield joined.strip()
            joined = ""
