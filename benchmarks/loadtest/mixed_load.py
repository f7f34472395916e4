"""The mixed load of `deploy/loadtest/scenarios/mixed.toml`, and how much of it a server takes."""

from collections.abc import Sequence
from typing import Any

import click

from benchmarks.harness.checkouts import REPOSITORY
from benchmarks.harness.spread import Spread
from benchmarks.loadtest.runner import Outcome, Runner
from benchmarks.loadtest.scenario import Closed, Poisson, Scenario

SCENARIO = REPOSITORY / "deploy" / "loadtest" / "scenarios" / "mixed.toml"
CLIENTS = 24  # several for each kind of call, so that batches fill
ROUNDS = 3


def cores(value: str) -> tuple[int, ...]:
    """Numbers of cores from a command line, such as "0" or "0,1".

    Raises:
        BadParameter: click's, for anything else.
    """
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of cores like 0,1") from None


def mixed(**changes: Any) -> Scenario:
    """The scenario with other values of its fields."""
    return Scenario.read(SCENARIO).model_copy(update=changes)


def served_only(scenario: Scenario) -> Scenario:
    """The scenario without the calls that callers give up and those that cannot be served."""
    parts = tuple(part for part in scenario.parts if part.expected == "OK" and part.cancel_after_s is None)
    return scenario.model_copy(update={"parts": parts})


def open_loop(scenario: Scenario, rate_per_s: float) -> Scenario:
    """The same calls, arriving independently of each other and of the answers."""
    return scenario.model_copy(update={"arrivals": Poisson(process="poisson", rate_per_s=rate_per_s)})


def closed_loop(scenario: Scenario) -> Scenario:
    """The same calls by so many callers that each wait for their answer."""
    return scenario.model_copy(update={"arrivals": Closed(process="closed", clients=CLIENTS)})


async def capacity(target: str, scenario: Scenario) -> Spread:
    """Calls a second that end as they should when callers wait for their answers: of some runs of the scenario."""
    rates = []
    for seed in range(ROUNDS):
        outcomes = await Runner(closed_loop(scenario).model_copy(update={"seed": seed}), target).run()
        rates.append(rate_of(outcomes, scenario.duration_s))
    return Spread.of(rates, 2)


def rate_of(outcomes: Sequence[Outcome], seconds: float) -> float:
    """Calls a second that ended in time, and as they should."""
    return sum(outcome.is_expected and 0 <= outcome.done < seconds for outcome in outcomes) / seconds
