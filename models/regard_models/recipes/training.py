"""The training loop of the recipes: a budget of minutes, resumable, with a progress bar."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm


class TrainingBatch(Protocol):
    """What the loop asks of a batch; what is in it, only the loss knows."""

    @property
    def num_tokens(self) -> int:
        """Labels that count."""

    def to(self, device: str) -> Self:
        """The same on a device."""


Batch = TypeVar("Batch", bound=TrainingBatch)


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn.

    Attributes:
        minutes: the budget of training time; the learning rate reaches zero at its end, however
            many steps the machine makes of it.
        peak_rate: learning rate after `warmup_steps`.
        hold: share of the budget after which the rate falls linearly to zero.
        save_every_s: seconds between saved states, of which a later call goes on.
    """

    minutes: float
    peak_rate: float
    warmup_steps: int = 500
    hold: float = 0.3
    max_gradient_norm: float = 1.0
    save_every_s: float = 120.0

    def rate(self, step: int, elapsed_s: float) -> float:
        progress = elapsed_s / (60 * self.minutes)
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
) -> int:
    """Trains until the plan's minutes are spent, going on from `state_file` where it exists.

    Args:
        loss_of: the mean loss of a batch, in nats a label.
        epochs: endless; each item is one pass over the data.

    Returns:
        the number of steps made in all.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.peak_rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01, fused=True
    )
    gains, step, spent_s = gains_by_bfloat16(device), 0, 0.0
    if state_file.exists():
        state = torch.load(state_file, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent_s = state["step"], state["spent_s"]
    started = saved = time.monotonic()
    mean_loss, tokens = None, 0
    model.train()
    with tqdm(total=round(60 * plan.minutes), initial=round(spent_s), unit="s", mininterval=5) as bar:
        for batch in (batch for epoch in epochs for batch in epoch):
            now = time.monotonic()
            elapsed_s = spent_s + now - started
            if now - saved > plan.save_every_s or elapsed_s >= 60 * plan.minutes:
                save_state(state_file, model, optimizer, step=step, spent_s=elapsed_s)
                saved = now
            if elapsed_s >= 60 * plan.minutes:
                return step
            for group in optimizer.param_groups:
                group["lr"] = plan.rate(step, elapsed_s)
            with torch.autocast(device, torch.bfloat16, enabled=gains):
                loss = loss_of(batch.to(device))
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), plan.max_gradient_norm)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            tokens += batch.num_tokens
            mean_loss = loss.item() if mean_loss is None else 0.98 * mean_loss + 0.02 * loss.item()
            bar.set_postfix_str(f"step {step}, loss {mean_loss:.3f}, {tokens / (now - started + 1e-9):.0f} tokens/s")
            bar.update(int(elapsed_s) - bar.n)
    raise ValueError("the epochs ended before the plan's minutes did")


def gains_by_bfloat16(device: str) -> bool:
    """Whether a device computes with bfloat16; CPUs that cannot emulate it, many times slower than float32."""
    return device != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def save_state(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer, *, step: int, spent_s: float) -> None:
    """Writes what a later call needs to go on; a crash while writing leaves the earlier state whole."""
    partial = file.with_suffix(".partial")
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "spent_s": spent_s}, partial
    )
    partial.replace(file)
