"""The training loop on a linear toy: what ends it, what its pace changes, and how it continues."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from regard_models.recipes.training import Minutes, Steps, TrainingPlan, train

SLOPE = 3.0


@dataclass(frozen=True)
class Points:
    """A batch: x, and y = SLOPE * x."""

    x: Tensor
    num_tokens: int = 8

    def to(self, device: str) -> "Points":
        return self


def epochs(seed: int = 0) -> Iterator[Iterator[Points]]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield (Points(torch.randn(8, 1, generator=generator)) for _ in range(5))


def clock(s_per_reading: float) -> Callable[[], float]:
    """Time on a machine that takes this long for a step: the loop reads the clock once per step."""
    readings = count()
    return lambda: next(readings) * s_per_reading


def learnt(plan: TrainingPlan, state: Path, s_per_step: float = 0.01, seed: int = 0) -> tuple[int, float]:
    """The number of steps, and the slope that they lead to."""
    torch.manual_seed(0)
    model = nn.Linear(1, 1, bias=False)

    def loss_of(batch: Points) -> Tensor:
        loss: Tensor = (model(batch.x) - SLOPE * batch.x).square().mean()
        return loss

    steps = train(model, loss_of, epochs(seed), plan, state, device="cpu", clock=clock(s_per_step))
    return steps, model.weight.item()


def plan(budget: Steps | Minutes) -> TrainingPlan:
    return TrainingPlan(budget, peak_rate=0.1, warmup_steps=5)


def test_a_budget_of_steps_gives_the_same_weights_on_a_slow_and_on_a_fast_machine(tmp_path: Path) -> None:
    fast = learnt(plan(Steps(150)), tmp_path / "fast.pt", s_per_step=0.001)
    slow = learnt(plan(Steps(150)), tmp_path / "slow.pt", s_per_step=1000.0)  # its state is saved at every step
    assert fast == slow
    assert fast[0] == 150
    assert fast[1] == pytest.approx(SLOPE, abs=0.05)


def test_a_budget_of_minutes_gives_a_slow_machine_fewer_steps(tmp_path: Path) -> None:
    steps = [learnt(plan(Minutes(1)), tmp_path / f"{pace}.pt", s_per_step=pace)[0] for pace in (0.5, 2.0)]
    assert steps == [119, 29]  # the loop reads the clock once before its first step


@pytest.mark.parametrize("budget", [Steps(40), Minutes(10)])
def test_the_rate_rises_holds_and_falls_to_zero_at_the_budgets_end(budget: Steps | Minutes) -> None:
    schedule = TrainingPlan(budget, peak_rate=2.0, warmup_steps=4, hold=0.5)
    rates = [schedule.rate(step, elapsed_s=15.0 * step) for step in range(41)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert set(rates[4:21]) == {2.0}
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[30] == pytest.approx(1.0)
    assert rates[40] == 0.0


def test_a_later_call_continues_and_one_whose_budget_is_spent_learns_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    first = learnt(plan(Steps(20)), state)
    assert learnt(plan(Steps(20)), state, seed=1) == first
    steps, slope = learnt(plan(Steps(60)), state, seed=1)
    assert steps == 60
    assert abs(slope - SLOPE) < abs(first[1] - SLOPE)


def test_epochs_that_end_too_early_are_an_error(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="the epochs ended before"):
        train(
            model,
            lambda batch: model(batch.x).mean(),
            iter([iter([Points(torch.ones(8, 1))])]),
            plan(Steps(2)),
            tmp_path / "state.pt",
            device="cpu",
        )
