"""The mixed load of `deploy/loadtest/scenarios/mixed.toml`, and a server's capacity for it."""

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


def parse_cores(value: str) -> tuple[int, ...]:
    """Parses core numbers from a command line, such as "0" or "0,1".

    Raises:
        BadParameter: from click, if the value is no such list.
    """
    try:
        return tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of cores like 0,1") from None


def mixed_scenario(**changes: Any) -> Scenario:
    """Reads the scenario and replaces fields."""
    return Scenario.read(SCENARIO).model_copy(update=changes)


def served_only(scenario: Scenario) -> Scenario:
    """The scenario without cancelled and invalid calls."""
    parts = tuple(part for part in scenario.parts if part.expected == "OK" and part.cancel_after_s is None)
    return scenario.model_copy(update={"parts": parts})


def open_loop(scenario: Scenario, rate_per_s: float) -> Scenario:
    """The same calls with independent arrivals."""
    return scenario.model_copy(update={"arrivals": Poisson(process="poisson", rate_per_s=rate_per_s)})


def closed_loop(scenario: Scenario) -> Scenario:
    """The same calls by `CLIENTS` callers that each wait for their answers."""
    return scenario.model_copy(update={"arrivals": Closed(process="closed", clients=CLIENTS)})


async def capacity(target: str, scenario: Scenario) -> Spread:
    """Calls per second that end as expected in a closed loop, over `ROUNDS` runs of the scenario."""
    rates = []
    for seed in range(ROUNDS):
        outcomes = await Runner(closed_loop(scenario).model_copy(update={"seed": seed}), target).run()
        rates.append(rate_of(outcomes, scenario.duration_s))
    return Spread.of(rates, 2)


def rate_of(outcomes: Sequence[Outcome], seconds: float) -> float:
    """Calls per second that ended within the measurement and as expected."""
    return sum(outcome.is_expected and 0 <= outcome.done < seconds for outcome in outcomes) / seconds
