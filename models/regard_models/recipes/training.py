"""The training loop of the recipes, which ends by steps: the same result on a slow and on a fast machine.

Batches are a function of their number, and the state holds all that a step depends on: on one machine, a training that
was interrupted ends at the weights of one that was not.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor, nn
from tqdm import tqdm

from regard_models.recipes.processes import Processes

Weights = dict[str, Tensor]
Log = dict[str, Any]


class TrainingBatch(Protocol):
    """What the loop needs of a batch; only the loss knows its content."""

    @property
    def num_tokens(self) -> int:
        """Labels that count."""

    def to(self, device: str) -> Self:
        """The same on a device."""


class OtherTraining(ValueError):
    """The folder's training cannot go on with this model or plan; the message names the differing values."""


ALONE = Processes()
Net = TypeVar("Net", bound=nn.Module)
Batch = TypeVar("Batch", bound=TrainingBatch)
Loss = tuple[Tensor, dict[str, float]]
"""A batch's mean loss in nats per label, and its parts by name for the log."""


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn.

    Attributes:
        steps: optimizer steps, those of earlier calls included.
        peak_rate: learning rate after `warmup_steps`, until it falls linearly to zero over the last `decay_steps`.
        accumulate: number of batches whose gradients make a step.
        average: number of snapshots, `average_every` steps apart, whose mean is the result; 1 takes the last weights.
        validate_every: steps between validations of that mean, each a line of the log; the last step has one too.
        save_every_s: seconds between saved states; does not change the result.
    """

    steps: int
    peak_rate: float
    warmup_steps: int = 500
    decay_steps: int = 1000
    accumulate: int = 1
    max_gradient_norm: float = 1.0
    average: int = 1
    average_every: int = 100
    validate_every: int = 500
    save_every_s: float = 300.0

    def rate(self, step: int) -> float:
        """The learning rate of a step, from 0."""
        warmup = min(1.0, (step + 1) / self.warmup_steps)
        decay = min(1.0, (self.steps - step) / max(self.decay_steps, 1))
        return self.peak_rate * min(warmup, decay)


@dataclass
class _Progress:
    """What a later call must know beside weights and optimizer."""

    step: int = 0
    num_tokens: int = 0
    seconds: float = 0.0


def named(loss: Tensor) -> Loss:
    """A loss that has no parts."""
    return loss, {"loss": loss.item()}


def endless(epochs: Callable[[], Iterator[Iterator[Batch]]]) -> Callable[[int], Iterator[Batch]]:
    """The batches of epochs from a number on, for `TrainingLoop`.

    Args:
        epochs: makes the same endless epochs at every call.
    """
    return lambda first: islice(chain.from_iterable(epochs()), first, None)


class TrainingLoop(Generic[Net, Batch]):
    """A training in a folder, which later calls continue.

    Args:
        folder: for the state, the snapshots, and `log.jsonl`.
        batches: the endless batches from a number on.
        validate: scores of the averaged weights, for the log; called with the model that holds them, and with the step.
        processes: share the batches of each step; `plan.accumulate` is at least their number.
        clock: seconds, for the pace in the log and for when to save.
    """

    def __init__(
        self,
        folder: Path,
        model: Net,
        batches: Callable[[int], Iterator[Batch]],
        loss_of: Callable[[Batch], Loss],
        validate: Callable[[Net, int], Log] = lambda model, step: {},
        *,
        device: str,
        processes: Processes = ALONE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._processes = processes
        self._folder, self._model, self._batches = folder, model, batches
        self._loss_of, self._validate, self._device, self._clock = loss_of, validate, device, clock

    def run(self, plan: TrainingPlan) -> Log:
        """Trains until the plan's steps are made, and leaves the averaged weights in the model.

        Returns:
            the log's last line, as the first process wrote it.

        Raises:
            ValueError: the batches ended before the plan's steps were made, or a process would have none of a step's.
            OtherTraining: the folder's training is that of another model, or has made more steps than the plan has.
        """
        if plan.accumulate < self._processes.size:
            raise ValueError(f"{plan.accumulate} batches of a step are too few for {self._processes.size} processes")
        self._folder.mkdir(parents=True, exist_ok=True)
        optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=plan.peak_rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.01, fused=True
        )
        progress = self._load(optimizer)
        if progress.step > plan.steps:
            made = f"the training in {self._folder} has made {progress.step} steps"
            raise OtherTraining(f"{made}, and {plan.steps} steps in total are fewer")
        batches = self._batches(progress.step * plan.accumulate)
        meter = _Meter(progress, self._clock)
        saved = self._clock()
        with tqdm(total=plan.steps, initial=progress.step, unit="steps", mininterval=10) as bar:
            while progress.step < plan.steps:
                group = list(islice(batches, plan.accumulate))
                if len(group) < plan.accumulate:
                    raise ValueError(f"the batches ended before step {progress.step + 1} of {plan.steps}")
                losses = self._step(optimizer, group, plan, progress.step)
                progress.step += 1
                meter.count(losses, sum(batch.num_tokens for batch in group))
                bar.update()
                bar.set_postfix_str(meter.text, refresh=False)
                if self._processes.is_first:
                    keeps_snapshot = self._keep_snapshot(plan, progress.step)
                    self._validate_if_due(plan, progress.step, meter)
                    if keeps_snapshot or self._clock() - saved > plan.save_every_s or progress.step == plan.steps:
                        self._save(optimizer, progress, meter)
                        saved = self._clock()
                        self._prune(plan, progress.step)
        self._processes.wait_for_all()
        self._model.load_state_dict(self._average(plan, progress.step))
        return self._lines()[-1] if self._lines() else {}

    def _step(
        self, optimizer: torch.optim.Optimizer, group: list[Batch], plan: TrainingPlan, step: int
    ) -> dict[str, float]:
        """Takes a step along the clipped gradient of the group's mean loss per label; returns the loss's parts."""
        self._model.train()
        for parameters in optimizer.param_groups:
            parameters["lr"] = plan.rate(step)
        total = sum(batch.num_tokens for batch in group)
        sums: dict[str, float] = {}
        for batch in self._processes.share(group):
            share = batch.num_tokens / total
            with torch.autocast(self._device, torch.bfloat16, enabled=gains_by_bfloat16(self._device)):
                loss, parts = self._loss_of(batch.to(self._device))
            (loss * share).backward()
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + share * value
        self._processes.sum_gradients(self._model)
        nn.utils.clip_grad_norm_(self._model.parameters(), plan.max_gradient_norm)
        optimizer.step()
        optimizer.zero_grad()
        return sums

    def _keep_snapshot(self, plan: TrainingPlan, step: int) -> bool:
        """Writes a snapshot where the plan says so."""
        is_due = plan.average > 1 and (step % plan.average_every == 0 or step == plan.steps)
        if is_due:
            torch.save(self._model.state_dict(), self._snapshot(step))
        return is_due

    def _prune(self, plan: TrainingPlan, step: int) -> None:
        """Deletes snapshots that are no longer averaged, once the state is beyond them."""
        for old in self._snapshots(step)[: -plan.average]:
            old.unlink()

    def _validate_if_due(self, plan: TrainingPlan, step: int, meter: "_Meter") -> None:
        """Scores the averaged weights where the plan says so, and writes a line of the log."""
        if step % plan.validate_every and step != plan.steps:
            return
        weights = {name: value.clone() for name, value in self._model.state_dict().items()}
        self._model.load_state_dict(self._average(plan, step))
        self._model.eval()
        scores = self._validate(self._model, step)
        self._model.load_state_dict(weights)
        lines = [line for line in self._lines() if line["step"] < step]  # a crash may have followed its line
        lines.append({"step": step, "rate": plan.rate(step - 1), **meter.figures(), **scores})
        (self._folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")

    def _average(self, plan: TrainingPlan, step: int) -> Weights:
        """The mean of the last snapshots up to a step."""
        files = self._snapshots(step)[-plan.average :]
        if plan.average == 1 or not files:
            return self._model.state_dict()
        every = [torch.load(file, map_location=self._device, weights_only=True) for file in files]
        return {name: torch.stack([weights[name] for weights in every]).mean(0) for name in every[0]}

    def _snapshot(self, step: int) -> Path:
        return self._folder / f"snapshot-{step:08}.pt"

    def _snapshots(self, step: int) -> list[Path]:
        """The files of snapshots up to a step, in order."""
        return sorted(file for file in self._folder.glob("snapshot-*.pt") if file <= self._snapshot(step))

    def _lines(self) -> list[Log]:
        file = self._folder / "log.jsonl"
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []

    def _save(self, optimizer: torch.optim.Optimizer, progress: _Progress, meter: "_Meter") -> None:
        """Writes the state; a crash while writing leaves the earlier state whole."""
        meter.store()
        state = {
            "model": self._model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "progress": vars(progress),
            "random": torch.get_rng_state(),
        }
        partial = self._folder / "state.partial"
        torch.save(state, partial)
        partial.replace(self._folder / "state.pt")

    def _check_shapes(self, stored: Weights) -> None:
        """Raises OtherTraining if stored weights are not those of this model."""
        ours = {name: list(weight.shape) for name, weight in self._model.state_dict().items()}
        theirs = {name: list(weight.shape) for name, weight in stored.items()}
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                shapes = (
                    f"the weight {name} is {theirs.get(name, 'missing')} there and {ours.get(name, 'missing')} here"
                )
                raise OtherTraining(
                    f"the training in {self._folder} is of another model: {shapes}; choose another --out"
                )

    def _load(self, optimizer: torch.optim.Optimizer) -> _Progress:
        file = self._folder / "state.pt"
        if not file.exists():
            return _Progress()
        state = torch.load(file, map_location="cpu", weights_only=True)
        self._check_shapes(state["model"])
        self._model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        progress = _Progress(**state["progress"])
        for file in self._folder.glob("snapshot-*.pt"):
            if file > self._snapshot(progress.step):
                file.unlink()
        return progress


class _Meter:
    """Smoothed losses, and the pace of this call."""

    def __init__(self, progress: _Progress, clock: Callable[[], float]) -> None:
        self._progress, self._clock = progress, clock
        self._started = clock()
        self._earlier_s, self._earlier_tokens = progress.seconds, progress.num_tokens
        self._means: dict[str, float] = {}

    def count(self, losses: dict[str, float], num_tokens: int) -> None:
        """Counts a step."""
        self._progress.num_tokens += num_tokens
        for name, value in losses.items():
            self._means[name] = 0.98 * self._means.get(name, value) + 0.02 * value

    def store(self) -> None:
        """Adds this call's time to the progress."""
        self._progress.seconds = self._earlier_s + self._clock() - self._started

    @property
    def text(self) -> str:
        """For the progress bar."""
        losses = ", ".join(f"{name} {value:.3f}" for name, value in self._means.items())
        return f"{losses}, {self._pace:.0f} tokens/s"

    @property
    def _pace(self) -> float:
        return (self._progress.num_tokens - self._earlier_tokens) / (self._clock() - self._started + 1e-9)

    def figures(self) -> Log:
        """For the log."""
        self.store()
        return {
            "tokens": self._progress.num_tokens,
            "seconds": round(self._progress.seconds),
            "tokens_per_s": round(self._pace),
            **{name: round(value, 4) for name, value in self._means.items()},
        }


def gains_by_bfloat16(device: str) -> bool:
    """Whether a device computes with bfloat16; CPUs that cannot emulate it, many times slower than float32."""
    return device != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))
