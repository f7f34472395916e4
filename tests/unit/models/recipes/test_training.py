"""Training that ends by steps: pace, interruptions and the split into batches do not change what it learns."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from regard_models.recipes import training as training_module
from regard_models.recipes.processes import Processes
from regard_models.recipes.training import ALONE, Log, OtherTraining, TrainingLoop, TrainingPlan, endless

SLOPE = 3.0
PLAN = TrainingPlan(
    60, peak_rate=0.3, warmup_steps=5, decay_steps=20, average=3, average_every=7, validate_every=20, save_every_s=0.0
)
TWO_BATCHES = replace(PLAN, accumulate=2)


@dataclass(frozen=True)
class Points:
    """A batch: x, and y = SLOPE * x."""

    x: Tensor

    @property
    def num_tokens(self) -> int:
        return len(self.x)

    def to(self, device: str) -> "Points":
        return self


class Stopped(Exception):
    """An interruption."""


def points(number: int) -> Points:
    return Points(torch.randn(4 + number % 3, 1, generator=torch.Generator().manual_seed(number)))


def batches(first: int) -> Iterator[Points]:
    return (points(number) for number in count(first))


def clock(s_per_reading: float) -> Callable[[], float]:
    readings = count()
    return lambda: next(readings) * s_per_reading


def train(
    folder: Path,
    plan: TrainingPlan = PLAN,
    *,
    s_per_reading: float = 0.01,
    stop_before: int | None = None,
    source: Callable[[int], Iterator[Points]] = batches,
    processes: Processes = ALONE,
    dropout: float = 0.2,
) -> tuple[float, list[Log]]:
    """The slope that training ends at, and the scores that validation logged."""
    torch.manual_seed(0)
    linear = nn.Linear(1, 1, bias=False)
    model = nn.Sequential(linear, nn.Dropout(dropout))
    validated: list[Log] = []
    steps = count()

    def loss_of(batch: Points) -> tuple[Tensor, dict[str, float]]:
        if next(steps) == stop_before:
            raise Stopped
        loss: Tensor = (model(batch.x) - SLOPE * batch.x).square().mean()
        return loss, {"loss": loss.item()}

    def validate(model: nn.Sequential, step: int) -> Log:
        validated.append({"step": step, "slope": linear.weight.item()})
        return {"slope": linear.weight.item()}

    training = TrainingLoop(
        folder, model, source, loss_of, validate, device="cpu", processes=processes, clock=clock(s_per_reading)
    )
    training.run(plan)
    return linear.weight.item(), validated


def test_a_slow_and_a_fast_machine_end_at_the_same_weights(tmp_path: Path) -> None:
    fast, slow = train(tmp_path / "fast", s_per_reading=1e-6), train(tmp_path / "slow", s_per_reading=1000.0)
    assert fast == slow
    assert fast[0] == pytest.approx(0.8 * SLOPE, abs=0.2)  # with dropout, (1 - p) of the slope has the least loss
    assert [line["step"] for line in fast[1]] == [20, 40, 60]


@pytest.mark.parametrize("stop_before", [1, 19, 20, 33, 59])
def test_an_interrupted_training_ends_at_the_weights_of_an_uninterrupted_one(tmp_path: Path, stop_before: int) -> None:
    whole, _ = train(tmp_path / "whole")
    with pytest.raises(Stopped):
        train(tmp_path / "parts", stop_before=stop_before)
    torch.manual_seed(99)  # the state holds the generator of dropout
    assert train(tmp_path / "parts")[0] == whole
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("whole", "parts")]
    assert len(logs[0]) == len(logs[1]) == 3


def test_a_state_saved_at_some_steps_only_goes_on_from_there(tmp_path: Path) -> None:
    """Snapshots and log lines after the saved step belong to steps that the later call makes again."""
    plan = replace(PLAN, save_every_s=0.25)
    whole, _ = train(tmp_path / "whole", plan)
    with pytest.raises(Stopped):
        train(tmp_path / "parts", plan, stop_before=47)
    assert train(tmp_path / "parts", plan)[0] == whole


def test_gradients_of_several_batches_are_those_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean is over labels, not over batches, which differ in size."""
    monkeypatch.setattr(
        training_module, "gains_by_bfloat16", lambda device: False
    )  # rounding would hide the difference

    def joined(first: int) -> Iterator[Points]:
        return (Points(torch.cat([points(2 * number).x, points(2 * number + 1).x])) for number in count(first))

    parts = train(tmp_path / "parts", TWO_BATCHES, dropout=0.0)
    whole = train(tmp_path / "whole", source=joined, dropout=0.0)
    assert parts[0] == pytest.approx(whole[0], rel=1e-5)


def test_the_result_is_the_mean_of_the_last_snapshots(tmp_path: Path) -> None:
    slope, validated = train(tmp_path)
    files = sorted(tmp_path.glob("snapshot-*.pt"))
    assert [file.stem for file in files] == ["snapshot-00000049", "snapshot-00000056", "snapshot-00000060"]
    every = [torch.load(file, weights_only=True)["0.weight"].item() for file in files]
    assert slope == pytest.approx(sum(every) / 3, rel=1e-6)
    assert validated[-1]["slope"] == slope


def test_the_rate_rises_holds_and_falls_over_the_last_steps() -> None:
    plan = TrainingPlan(100, peak_rate=2.0, warmup_steps=4, decay_steps=50)
    rates = [plan.rate(step) for step in range(101)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert set(rates[4:51]) == {2.0}
    assert rates[75] == pytest.approx(1.0)
    assert rates[100] == 0.0


def test_batches_of_epochs_go_on_from_a_number() -> None:
    def epochs() -> Iterator[Iterator[Points]]:
        return (iter([points(3 * epoch), points(3 * epoch + 1), points(3 * epoch + 2)]) for epoch in count())

    for first in (0, 2, 3, 7):
        found = [next(iter(endless(epochs)(first))).x]
        assert torch.equal(found[0], points(first).x)


def test_batches_that_end_too_early_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the batches ended before step 4 of 60"):
        train(tmp_path, source=lambda first: iter([points(number) for number in range(3)]))


def _train_one_of_two(rank: int, meeting: str, folder: str) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    slope, _ = train(Path(folder), TWO_BATCHES, processes=Processes(rank, 2), dropout=0.0)
    (Path(folder) / f"slope-{rank}").write_text(repr(slope))
    torch.distributed.destroy_process_group()


def test_two_processes_share_the_batches_of_each_step(tmp_path: Path) -> None:
    """They end at the weights of one process that reads all batches itself; only the first one writes files."""
    arguments = (str(tmp_path / "meeting"), str(tmp_path / "both"))
    (tmp_path / "both").mkdir()
    spawn(_train_one_of_two, arguments, nprocs=2)
    alone, _ = train(tmp_path / "alone", TWO_BATCHES, dropout=0.0)
    slopes = [float((tmp_path / "both" / f"slope-{rank}").read_text()) for rank in range(2)]
    assert slopes == pytest.approx([alone, alone], rel=1e-2)  # bfloat16 rounds


def test_more_processes_than_batches_of_a_step_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 batches of a step are too few for 2 processes"):
        train(tmp_path, processes=Processes(0, 2))


def test_a_folder_of_another_model_or_of_more_steps_is_refused_in_words(tmp_path: Path) -> None:
    train(tmp_path)
    with pytest.raises(OtherTraining, match="has made 60 steps, and 50 steps in total are fewer"):
        train(tmp_path, replace(PLAN, steps=50))
    other = TrainingLoop(tmp_path, nn.Linear(2, 1), batches, lambda batch: (batch.x.sum(), {}), device="cpu")
    with pytest.raises(OtherTraining, match=r"the weight 0.weight is \[1, 1\] there and missing here"):
        other.run(PLAN)
