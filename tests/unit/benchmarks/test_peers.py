"""The comparison without peers: jobs, the line protocol, the batcher, figures, merging, the picture."""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness.machine import Machine
from benchmarks.harness.spread import Spread
from benchmarks.peers.__main__ import StoredReport, chosen_rows
from benchmarks.peers.agreement import agreement
from benchmarks.peers.everyday import ids
from benchmarks.peers.inside.batcher import Batcher
from benchmarks.peers.jobs import drawn_length_job, free_length_job
from benchmarks.peers.lengths import length_pairs
from benchmarks.peers.models import BART, CAPTIONER, MARIAN
from benchmarks.peers.peers_report import PeersReport
from benchmarks.peers.pictures import draw_rows
from benchmarks.peers.results import Figure, RowResult, merged
from benchmarks.peers.table import ROWS
from benchmarks.peers.worker import WorkerFailed, worker_process
from benchmarks.report.documents import markdown, read_report

DATE = datetime(2026, 1, 2, tzinfo=UTC)
MACHINE = Machine(
    cpu="A processor", cores=2, cpu_features=(), memory_gib=8, system="Linux x86_64", python="3.12.1", packages={},
    load_before=0.1,
)  # fmt: skip


def row(name: str, *figures: Figure, load: float = 0.1) -> RowResult:
    return RowResult(
        name=name, title=name, date=DATE, commit="", load_before=load, quick=False,
        figures=figures,
    )  # fmt: skip


def figure(value: float, needed: float, goal: float, *, at_most: bool = False) -> Figure:
    return Figure(what="times", value=Spread.of([value]), needed=needed, goal=goal, at_most=at_most)


@pytest.mark.parametrize("model", [MARIAN, BART, CAPTIONER])
def test_a_jobs_groups_are_batches_of_equally_long_outputs(model: Any) -> None:
    job = drawn_length_job(model, 8, 5)
    assert [len(group["sources"]) for group in job.groups] == [8] * 5
    lengths = [group["new_tokens"] for group in job.groups]
    assert len(set(lengths)) > 1, "lengths differ from group to group"
    assert drawn_length_job(model, 8, 5) == job, "whoever runs it gets the same work"
    assert not job.one_by_one
    assert drawn_length_job(model, 1, 3).one_by_one


def test_random_sources_have_real_lengths_and_end_as_the_model_reads_them() -> None:
    sources = [source for group in drawn_length_job(MARIAN, 8, 20).groups for source in group["sources"]]
    assert {len(source) for source in sources} <= {source for source, _ in length_pairs("translation")}
    assert all(source[-1] == 0 and 0 not in source[:-1] for source in sources)


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=20), st.integers(1, 8))
def test_free_jobs_keep_every_source_in_batches_of_alike_lengths(sources: list[list[int]], batch: int) -> None:
    groups = free_length_job(sources, batch).groups
    kept = [source for group in groups for source in group["sources"]]
    assert Counter(map(tuple, kept)) == Counter(map(tuple, sources))
    assert [len(source) for source in kept] == sorted(map(len, sources), reverse=True)
    assert all(len(group["sources"]) <= batch and group["new_tokens"] is None for group in groups)


def test_real_sentences_are_read_as_the_server_reads_them() -> None:
    (found,) = ids(["Thank you!"])
    assert found[0] == 4, "the German prefix"
    assert found[-1] == 2, "the end token"


def test_agreement_counts_outputs_and_what_stands_before_the_first_difference() -> None:
    assert agreement([[1, 2, 3], [4, 5]], [[1, 2, 3], [4, 6]]) == (0.5, 4 / 5)
    assert agreement([[1]], [[2, 2]]) == (0.0, 0.0)


def test_a_worker_answers_and_tells_what_went_wrong(tmp_path: Path) -> None:
    with worker_process(Path(sys.executable), "regard_engine") as worker:
        with pytest.raises(WorkerFailed, match="there_is_no_such_call"):
            worker.call("there_is_no_such_call")
        with pytest.raises(WorkerFailed, match=r"manifest\.json"):
            worker.call("open", folder=str(tmp_path), precision="int8", num_workers=1, num_slots=1)


def test_regard_as_a_worker_translates() -> None:
    from benchmarks.peers.models import SHIPPED

    with worker_process(Path(sys.executable), "regard_engine") as worker:
        folder = str(SHIPPED / "everyday")
        told = worker.call("open", folder=folder, precision="int8", num_workers=1, num_slots=4, timed=True)
        assert told["setting"].startswith("int8, 1 workers")
        groups = free_length_job(ids(["Thank you!", "I have never been to the sea."]), 2).groups
        found = worker.call("run", groups=groups, outputs=True)
        again = worker.call("run", groups=groups, one_by_one=True, attention=True, copies=2, outputs=True)
    assert found["num_tokens"] == sum(map(len, found["outputs"][0])) > 4
    assert 0 < found["onnxruntime_cpu_s"] <= found["cpu_s"]
    assert again["outputs"] == found["outputs"] * 2, "alone, with maps and beside a copy as in a batch"


async def test_the_batcher_fills_batches_while_its_worker_is_busy() -> None:
    sizes = []

    def run(batch: Sequence[int]) -> list[int]:
        sizes.append(len(batch))
        return [2 * item for item in batch]

    batcher = Batcher(run, max_batch=4, num_workers=1, delay_s=0.05)
    found = await asyncio.gather(*(batcher.submit(number) for number in range(10)))
    assert found == [2 * number for number in range(10)]
    assert sizes == [4, 4, 2]


async def test_a_batch_that_fails_fails_its_callers_and_no_others() -> None:
    def run(batch: Sequence[int]) -> list[int]:
        if 0 in batch:
            raise ValueError("no zeros")
        return list(batch)

    batcher = Batcher(run, max_batch=1, num_workers=1, delay_s=0.0)
    found = await asyncio.gather(batcher.submit(0), batcher.submit(1), return_exceptions=True)
    assert isinstance(found[0], ValueError)
    assert found[1] == 1


def test_a_verdict_is_the_medians() -> None:
    assert [figure(value, 1.2, 2.0).verdict for value in (1.1, 1.2, 2.0)] == ["missed", "needed", "goal"]
    assert [figure(value, 0.6, 0.4, at_most=True).verdict for value in (0.7, 0.6, 0.4)] == ["missed", "needed", "goal"]
    assert Figure(what="BLEU", value=Spread.of([30.0])).verdict == ""


def test_rows_measured_anew_take_the_place_of_earlier_ones() -> None:
    before = [row("b", load=9.0), row("a")]
    found = merged(before, [row("b", load=0.2)], ["a", "b"])
    assert [(each.name, each.load_before) for each in found] == [("a", 0.1), ("b", 0.2)]


def test_the_picture_shows_every_figure_that_has_a_target(tmp_path: Path) -> None:
    file = tmp_path / "rows.svg"
    draw_rows([row("a", figure(1.5, 1.2, 2.0), figure(0.5, 0.6, 0.4, at_most=True))], file)
    assert file.read_text(encoding="utf-8").count("<svg") == 1
    draw_rows([row("a")], tmp_path / "none.svg")
    assert not (tmp_path / "none.svg").exists()


def test_rows_are_chosen_by_how_their_names_begin() -> None:
    assert len({each.name for each in ROWS}) == len(ROWS)
    assert [each.name for each in ROWS if each not in chosen_rows("")] == ["bart-8", "bart-32", "caption-8"]
    assert [each.name for each in chosen_rows("bart")] == ["bart-1", "bart-8", "bart-32"]
    assert [each.name for each in chosen_rows("served, beam")] == ["beam-1", "beam-8", "served"]
    with pytest.raises(click.BadParameter, match="no row nonsense; there are greedy-1"):
        chosen_rows("served,nonsense")


def test_what_was_measured_earlier_stays_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    before: dict[str, object] = {"date": DATE, "command": "", "commit": "abc", "machine": MACHINE}
    StoredReport(before, file).add_row(row("served", figure(1.5, 1.2, 2.0)))
    StoredReport(before, file).add_row(row("greedy-1", figure(1.0, 1.2, 2.0), load=3.0))
    report = read_report(file)
    assert isinstance(report, PeersReport)
    assert [each.name for each in report.rows] == ["greedy-1", "served"]
    text = markdown(report)
    assert "| served | times | 1.50 (1.50 to 1.50) | 1.2 | 2 | needed |" in text
    assert "before these rows, so their times are unreliable: greedy-1" in text
    assert file.with_suffix(".svg").exists()
