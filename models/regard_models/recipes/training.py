"""The training loop of the recipes: a budget of steps or of minutes, resumable, with a progress bar."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm


class TrainingBatch(Protocol):
    """What the loop needs of a batch; only the loss knows its content."""

    @property
    def num_tokens(self) -> int:
        """Labels that count."""

    def to(self, device: str) -> Self:
        """The same on a device."""


Batch = TypeVar("Batch", bound=TrainingBatch)


@dataclass(frozen=True)
class Steps:
    """A budget of optimizer steps: training ends at the same weights, however fast the machine is."""

    steps: int
    unit: ClassVar[str] = "steps"

    @property
    def total(self) -> float:
        return self.steps

    def spent(self, step: int, elapsed_s: float) -> float:
        return step


@dataclass(frozen=True)
class Minutes:
    """A budget of wall-clock time: a fast machine makes more steps in it than a slow one."""

    minutes: float
    unit: ClassVar[str] = "s"

    @property
    def total(self) -> float:
        return 60 * self.minutes

    def spent(self, step: int, elapsed_s: float) -> float:
        return elapsed_s


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn.

    Attributes:
        budget: when training ends; the learning rate is zero then.
        peak_rate: learning rate after `warmup_steps`.
        hold: share of the budget after which the rate falls linearly to zero.
        save_every_s: seconds between saved states, from which a later call continues.
    """

    budget: Steps | Minutes
    peak_rate: float
    warmup_steps: int = 500
    hold: float = 0.3
    max_gradient_norm: float = 1.0
    save_every_s: float = 120.0

    def is_spent(self, step: int, elapsed_s: float) -> bool:
        return self.budget.spent(step, elapsed_s) >= self.budget.total

    def rate(self, step: int, elapsed_s: float) -> float:
        progress = self.budget.spent(step, elapsed_s) / self.budget.total
        decay = min(1.0, max(0.0, (1 - progress) / (1 - self.hold)))
        return self.peak_rate * min(1.0, (step + 1) / self.warmup_steps) * decay


def train(
    model: nn.Module,
    loss_of: Callable[[Batch], Tensor],
    epochs: Iterator[Iterator[Batch]],
    plan: TrainingPlan,
    state_file: Path,
    *,
    device: str,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Trains until the plan's budget is spent; continues from `state_file` if it exists.

    Args:
        loss_of: the mean loss of a batch, in nats per label.
        epochs: endless; each item is one pass over the data.
        clock: seconds; counts only for a budget of minutes, and for when the state is saved.

    Returns:
        the number of steps, those of earlier calls included.

    Raises:
        ValueError: the epochs ended before the budget was spent.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.peak_rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01, fused=True
    )
    step, spent_s = load_state(state_file, model, optimizer, device)
    has_bfloat16 = gains_by_bfloat16(device)
    started = saved = clock()
    model.train()
    with _ProgressBar(plan.budget, step, spent_s) as bar:
        for batch in (batch for epoch in epochs for batch in epoch):
            now = clock()
            elapsed_s = spent_s + now - started
            is_spent = plan.is_spent(step, elapsed_s)
            if is_spent or now - saved > plan.save_every_s:
                save_state(state_file, model, optimizer, step=step, spent_s=elapsed_s)
                saved = now
            if is_spent:
                return step
            for group in optimizer.param_groups:
                group["lr"] = plan.rate(step, elapsed_s)
            with torch.autocast(device, torch.bfloat16, enabled=has_bfloat16):
                loss = loss_of(batch.to(device))
            _descend(model, optimizer, loss, plan.max_gradient_norm)
            step += 1
            bar.show(step, elapsed_s, loss.item(), batch.num_tokens)
    raise ValueError("the epochs ended before the plan's budget was spent")


def _descend(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, max_gradient_norm: float) -> None:
    """Takes one step along the clipped gradient of a loss."""
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_gradient_norm)
    optimizer.step()
    optimizer.zero_grad()


class _ProgressBar:
    """Shows how much of a budget is spent, the smoothed loss, and the pace of this call."""

    def __init__(self, budget: Steps | Minutes, step: int, spent_s: float) -> None:
        self._budget = budget
        self._spent_s = spent_s  # by earlier calls
        self._mean_loss: float | None = None
        self._num_tokens = 0
        initial = int(budget.spent(step, spent_s))
        self._bar = tqdm(total=round(budget.total), initial=initial, unit=budget.unit, mininterval=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def show(self, step: int, elapsed_s: float, loss: float, num_tokens: int) -> None:
        self._mean_loss = loss if self._mean_loss is None else 0.98 * self._mean_loss + 0.02 * loss
        self._num_tokens += num_tokens
        pace = self._num_tokens / (elapsed_s - self._spent_s + 1e-9)
        self._bar.set_postfix_str(f"step {step}, loss {self._mean_loss:.3f}, {pace:.0f} tokens/s", refresh=False)
        self._bar.update(int(self._budget.spent(step, elapsed_s)) - self._bar.n)


def gains_by_bfloat16(device: str) -> bool:
    """Whether a device computes with bfloat16; CPUs that cannot emulate it, many times slower than float32."""
    return device != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def save_state(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, step: int, spent_s: float) -> None:
    """Writes what a later call needs to continue; a crash while writing leaves the earlier state whole."""
    partial = file.with_suffix(".partial")
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent_s": spent_s}, partial
    )
    partial.replace(file)


def load_state(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer, device: str) -> tuple[int, float]:
    """Restores a saved state; returns its steps and seconds, zeros where there is none."""
    if not file.exists():
        return 0, 0.0
    state = torch.load(file, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"], state["spent_s"]
