import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from benchmarks.commits.__main__ import chosen_rows
from benchmarks.commits.commits_report import CommitsReport, ComparedRow, Side
from benchmarks.commits.load_generator import Generator
from benchmarks.commits.pairs import PAIRS_A_START, Sample, Subject, sample_pairs
from benchmarks.commits.ratios import paired_ratio, student_quantile
from benchmarks.commits.rows import ROWS
from benchmarks.commits.worktrees import CheckoutFailed, checked_out
from benchmarks.harness.checkouts import REPOSITORY, Checkout
from benchmarks.harness.machine import Machine

MACHINE = Machine(
    cpu="A processor", cores=2, cpu_features=("avx2",), memory_gib=8, system="Linux x86_64", python="3.12.1",
    packages={"regard": "0.1.0"}, load_before=0.1,
)  # fmt: skip


@pytest.mark.parametrize(
    ("num_degrees", "quantile", "tolerance"),
    [(1, 12.706, 0.12), (2, 4.303, 0.01), (3, 3.182, 0.002), (19, 2.093, 0.001), (1000, 1.962, 0.001)],
)
def test_students_quantiles_are_those_of_the_tables(num_degrees: int, quantile: float, tolerance: float) -> None:
    assert student_quantile(0.975, num_degrees) == pytest.approx(quantile, rel=tolerance)


def test_the_interval_is_students_of_the_logarithms() -> None:
    # Ratios e^0.1, e^0.2, e^0.3, e^0.4: mean 0.25, standard deviation 0.1291, t(3) 3.182, margin 0.2054.
    ratio = paired_ratio([1, 1, 1, 1], [1.105171, 1.221403, 1.349859, 1.491825])
    assert (ratio.mean, ratio.low, ratio.high) == pytest.approx((1.28403, 1.04566, 1.57673), rel=1e-3)


def test_what_slows_both_of_a_pair_does_not_widen_the_interval() -> None:
    ratio = paired_ratio([1.0, 5.0, 2.0], [1.1, 5.5, 2.2])
    assert (ratio.mean, ratio.low, ratio.high) == pytest.approx((1.1, 1.1, 1.1))


def test_swapping_the_commits_inverts_the_ratio() -> None:
    first, second = [1.0, 1.2, 0.9], [1.1, 1.1, 1.0]
    there, back = paired_ratio(first, second), paired_ratio(second, first)
    assert (1 / back.mean, 1 / back.high, 1 / back.low) == pytest.approx((there.mean, there.low, there.high))


@pytest.mark.parametrize(("before", "after"), [([1.0], [1.0]), ([1.0, 1.0], [1.0]), ([1.0, 0.0], [1.0, 1.0])])
def test_ratios_need_two_pairs_of_positive_values(before: list[float], after: list[float]) -> None:
    with pytest.raises(ValueError, match="needs"):
        paired_ratio(before, after)


def compared(ratios: Sequence[float], name: str = "row") -> ComparedRow:
    before = Side(cpu_ms=(2.0,) * len(ratios), per_s=(50.0,) * len(ratios))
    after = Side(cpu_ms=tuple(2 * ratio for ratio in ratios), per_s=tuple(50 / ratio for ratio in ratios))
    return ComparedRow(name=name, title="A load", unit="call", before=before, after=after)


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.05, 1.051, 1.049], "worse"),
        ([1.01, 1.011, 1.009], "not worse"),
        ([0.9, 1.2, 1.1], "undecided"),
    ],
)
def test_only_an_interval_wholly_beyond_the_bound_is_worse(ratios: list[float], verdict: str) -> None:
    assert compared(ratios).verdict == verdict


def test_the_report_names_the_rows_that_are_worse() -> None:
    report = CommitsReport(
        date=datetime(2026, 1, 2, tzinfo=UTC), command="python -m benchmarks.commits", commit="abc1234",
        machine=MACHINE, before="aaa", after="bbb", seconds=3.0,
        rows=(compared([1.05, 1.051, 1.049], "slow"), compared([1.0, 1.001, 0.999], "same")),
    )  # fmt: skip
    assert report.worse == ("slow",)
    (table,) = report.tables()
    assert "| slow | A load | 3 | 2.000 ms a call | 2.100 ms a call | 1.050 (1.048 to 1.052) | worse |" in (
        table.to_markdown()
    )
    assert any("20 pairs" in note for note in report.notes())


def test_a_sample_gives_the_cost_of_a_unit() -> None:
    side = Side.of((Sample(cpu_s=3.0, seconds=2.0, amount=1000),))
    assert side == Side(cpu_ms=(3.0,), per_s=(500.0,))


class Sleeper:
    """A subject that does nothing and records whether it ran while the other was stopped."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: list[tuple[str, bool]]) -> None:
        self.pid = process.pid
        self.other: Sleeper | None = None
        self._name = name
        self._log = log

    @property
    def is_stopped(self) -> bool:
        return "State:\tT" in Path(f"/proc/{self.pid}/status").read_text()

    def sample(self) -> Sample:
        assert self.other is not None
        self._log.append((self._name, not self.is_stopped and self.other.is_stopped))
        return Sample(1.0, 1.0, len(self._log))


@contextmanager
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def sleepers(log: list[tuple[str, bool]]) -> Iterator[list[Subject]]:
    with sleeping() as one, sleeping() as two:
        before, after = Sleeper("before", one, log), Sleeper("after", two, log)
        before.other, after.other = after, before
        yield [before, after]
        assert not before.is_stopped
        assert not after.is_stopped


def test_samples_are_taken_in_turns_and_the_other_commit_is_stopped_meanwhile() -> None:
    log: list[tuple[str, bool]] = []
    samples = sample_pairs(lambda: sleepers(log), 3, lambda _: None)
    order = ["before", "after", "before", "after", "after", "before", "before", "after"]  # the first two warm up
    assert log == [(name, True) for name in order]
    assert [[each.amount for each in side] for side in samples] == [[3, 6, 7], [4, 5, 8]]


def test_both_commits_are_started_anew_after_some_pairs() -> None:
    logs: list[list[tuple[str, bool]]] = []

    def started() -> AbstractContextManager[list[Subject]]:
        logs.append([])
        return sleepers(logs[-1])

    samples = sample_pairs(started, PAIRS_A_START + 1, lambda _: None)
    assert [len(side) for side in samples] == [PAIRS_A_START + 1] * 2
    assert [len(log) for log in logs] == [2 + 2 * PAIRS_A_START, 2 + 2]
    assert [name for name, _ in logs[1][2:]] == ["after", "before"]  # the alternation continues


def test_code_comes_from_the_checkout_in_old_and_new_layouts(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    assert Checkout("old", tmp_path).import_roots == (tmp_path,)
    (tmp_path / "service" / "regard_service").mkdir()
    checkout = Checkout("new", tmp_path)
    assert checkout.import_roots == (tmp_path, tmp_path / "service")
    assert checkout.environment == {"PYTHONPATH": f"{tmp_path}:{tmp_path / 'service'}"}


def test_the_working_tree_is_a_checkout() -> None:
    with checked_out(None) as checkout:
        assert checkout.folder == REPOSITORY
        assert (checkout.shipped_bundles / "everyday").is_dir()


def test_unknown_revisions_are_refused() -> None:
    with pytest.raises(CheckoutFailed, match="git rev-parse"), checked_out("no-such-revision"):
        pass


def test_rows_are_chosen_by_name() -> None:
    assert [row.name for row in chosen_rows("served, greedy-8")] == ["served", "greedy-8"]
    assert len(ROWS) == 5
    with pytest.raises(click.BadParameter, match="no row quick"):
        chosen_rows("quick")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts sent so far; each answer has four tokens."""
    texts: list[str] = []

    def regard_call(*_: object) -> object:
        async def call(text: str, length: int) -> tuple[int, tuple[float, ...]]:
            texts.append(text)
            return 4, ()

        return call

    monkeypatch.setattr("benchmarks.commits.load_generator.regard_call", regard_call)
    return texts


def test_every_run_sends_the_same_requests(sent: list[str]) -> None:
    with Generator() as generator:
        generator.open("127.0.0.1:1", "model", "de", [("a", 0), ("b", 4), ("c", 0)], num_clients=2)
        for _ in range(2):
            answer = generator.run(num_requests=4)
            assert (answer["num_calls"], answer["num_tokens"]) == (4, 16)
    assert sent == ["a", "b", "c", "a"] * 2


def test_an_answer_of_another_length_fails_the_run(sent: list[str]) -> None:
    with Generator() as generator:
        generator.open("127.0.0.1:1", "model", "de", [("a", 5)], num_clients=1)
        with pytest.raises(ExceptionGroup) as raised:
            generator.run(num_requests=1)
    assert raised.group_contains(RuntimeError, match="4 tokens instead of 5")
