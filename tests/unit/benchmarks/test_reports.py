from datetime import UTC, datetime
from pathlib import Path

import click
from click.testing import CliRunner

from benchmarks.harness.machine import Machine
from benchmarks.harness.measurement import command_line
from benchmarks.harness.served_model import ServedModel
from benchmarks.harness.spread import Spread
from benchmarks.quality.quality_report import QualityReport, Score
from benchmarks.report.documents import BLOCK, NOT_MEASURED, README, read_report, render
from benchmarks.serving.sentences import NUM_WORDS, SENTENCES

MODEL = ServedModel(name="everyday", version="1", precision="int8", provider="cpu", size_mb=12.5)
MACHINE = Machine(
    cpu="A processor", cores=2, cpu_features=("avx2",), memory_gib=8, system="Linux x86_64", python="3.12.1",
    packages={"regard": "0.1.0"}, load_before=0.1,
)  # fmt: skip
SCORE = Score(
    task="tatoeba", title="Everyday sentences", split="dev", variant="de", model=MODEL, num_beams=4, num_inputs=1000,
    metrics={"bleu": 12.34, "chrf": 56.78}, seconds=9.5,
)  # fmt: skip
REPORT = QualityReport(
    date=datetime(2026, 1, 2, tzinfo=UTC), command="python -m benchmarks.quality --data DIR", commit="abc1234",
    machine=MACHINE, sacrebleu="version:2", scores=(SCORE,), left_out=("captions: there is no folder",),
)  # fmt: skip


def test_the_readme_shows_what_the_results_say(tmp_path: Path) -> None:
    REPORT.write(tmp_path / "quality.json")
    before = "Text.\n<!-- results: quality -->\nstale\n<!-- end -->\n<!-- results: other -->\n<!-- end -->"
    text = render(before, tmp_path)
    assert read_report(tmp_path / "quality.json") == REPORT
    assert "| everyday 1 (int8) | dev | de | 4 | 1,000 | 12.3 | 56.8 |" in text
    assert "Left out: captions" in text
    assert "stale" not in text
    assert f"<!-- results: other -->\n{NOT_MEASURED}\n<!-- end -->" in text
    assert render(text, tmp_path) == text


def test_the_readme_has_a_block_for_each_benchmark() -> None:
    assert {match["name"] for match in BLOCK.finditer(README.read_text())} >= {"quality", "serving"}


def test_commands_name_no_paths() -> None:
    @click.command()
    @click.option("--data", metavar="DIR")
    @click.option("--limit", type=int)
    @click.option("--models", multiple=True)
    @click.option("--quick", is_flag=True)
    @click.option("--unused", default=3)
    @click.option("--json", "json_file")
    @click.pass_context
    def command(context: click.Context, /, **_: object) -> None:
        click.echo(command_line(context, "benchmarks.some"))

    arguments = "--data /a/b --limit 5 --models x --models y --quick --json /c"
    output = CliRunner().invoke(command, arguments.split()).output
    assert output.strip() == "python -m benchmarks.some --data DIR --limit 5 --models x --models y --quick"


def test_this_machine_can_be_described() -> None:
    machine = Machine.here()
    assert machine.cores >= 1
    assert machine.cpu in machine.describe()


def test_spread() -> None:
    assert Spread.of([3.0, 1.0, 2.0]).text(".1f") == "2.0 (1.0 to 3.0)"


def test_sentences_have_twelve_words() -> None:
    assert {len(sentence.split()) for sentence in SENTENCES} == {NUM_WORDS}
    assert len(set(SENTENCES)) == len(SENTENCES)
